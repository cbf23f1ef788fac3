use crate::{Flags, Keys};

/// How many words a request has, the command's name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

impl Arity {
    pub const fn allows(self, words: usize) -> bool {
        match self {
            Arity::Exactly(count) => words == count,
            Arity::AtLeast(count) => words >= count,
        }
    }

    /// As COMMAND says it: negative for "at least".
    pub const fn as_integer(self) -> i64 {
        match self {
            Arity::Exactly(count) => count as i64,
            Arity::AtLeast(count) => -(count as i64),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Generic,
    String,
    List,
    Hash,
    Set,
    SortedSet,
    Stream,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Bitmap,
    Geo,
    HyperLogLog,
    Cluster,
    Module,
}

impl Group {
    /// As COMMAND DOCS names it.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Hash => "hash",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Bitmap => "bitmap",
            Group::Geo => "geo",
            Group::HyperLogLog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Module => "module",
        }
    }

    const fn acl_category(self) -> Option<&'static str> {
        Some(match self {
            Group::Generic => "@keyspace",
            Group::String => "@string",
            Group::List => "@list",
            Group::Hash => "@hash",
            Group::Set => "@set",
            Group::SortedSet => "@sortedset",
            Group::Stream => "@stream",
            Group::PubSub => "@pubsub",
            Group::Transactions => "@transaction",
            Group::Connection => "@connection",
            Group::Scripting => "@scripting",
            Group::Bitmap => "@bitmap",
            Group::Geo => "@geo",
            Group::HyperLogLog => "@hyperloglog",
            Group::Server | Group::Cluster | Group::Module => return None,
        })
    }
}

/// All that [`CommandSpec::acl_categories`] may name, in Redis' order.
pub const ACL_CATEGORIES: &[&str] = &[
    "@keyspace",
    "@read",
    "@write",
    "@set",
    "@sortedset",
    "@list",
    "@hash",
    "@string",
    "@bitmap",
    "@hyperloglog",
    "@geo",
    "@stream",
    "@pubsub",
    "@admin",
    "@fast",
    "@slow",
    "@blocking",
    "@dangerous",
    "@connection",
    "@transaction",
    "@scripting",
];

/// Everything a command says of itself.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Lower case; a subcommand is named `container|name`.
    pub name: &'static str,
    pub group: Group,
    pub arity: Arity,
    pub flags: Flags,
    pub keys: Keys,
    /// What is done with the keys, as COMMAND says it: for each in their order, the last standing for all that follow.
    /// Empty: what a command that only reads, or changes what it reads, does.
    pub key_flags: &'static [&'static str],
    /// ACL categories in place of the one that the group brings.
    pub categories: Option<&'static [&'static str]>,
    /// The Redis version that brought it.
    pub since: &'static str,
    pub summary: &'static str,
    /// What follows the name: `key value [NX|XX] [EX seconds|PX milliseconds]`. COMMAND DOCS' arguments come from it.
    pub syntax: &'static str,
}

impl CommandSpec {
    pub const fn new(
        name: &'static str,
        group: Group,
        arity: Arity,
        summary: &'static str,
    ) -> Self {
        CommandSpec {
            name,
            group,
            arity,
            flags: Flags::NONE,
            keys: Keys::None,
            key_flags: &[],
            categories: None,
            since: "1.0.0",
            summary,
            syntax: "",
        }
    }

    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = self.flags.and(flags);
        self
    }

    pub const fn keys(mut self, keys: Keys) -> Self {
        if keys.are_movable() {
            self.flags = self.flags.and(Flags::MOVABLE_KEYS);
        }
        self.keys = keys;
        self
    }

    pub const fn key_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.key_flags = flags;
        self
    }

    /// In place of the ACL category that the group brings.
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = Some(categories);
        self
    }

    /// What is done with the key that comes `nth`, counted from 0.
    pub fn flags_of_key(&self, nth: usize) -> &'static str {
        match self.key_flags.get(nth).or(self.key_flags.last()) {
            Some(flags) => flags,
            None if self.flags.contains(Flags::READONLY) => "RO access",
            None => "RW access update",
        }
    }

    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// In the order of [`ACL_CATEGORIES`].
    pub fn acl_categories(&self) -> Vec<&'static str> {
        let mut categories = Vec::new();
        let by_flag = [
            (Flags::WRITE, "@write"),
            (Flags::READONLY, "@read"),
            (Flags::ADMIN, "@admin"),
            (Flags::ADMIN, "@dangerous"),
            (Flags::BLOCKING, "@blocking"),
        ];
        for (flag, category) in by_flag {
            if self.flags.contains(flag) {
                categories.push(category);
            }
        }
        categories.push(if self.flags.contains(Flags::FAST) { "@fast" } else { "@slow" });
        match self.categories {
            Some(own) => categories.extend_from_slice(own),
            None => categories.extend(self.group.acl_category()),
        }
        let place = |category: &&str| ACL_CATEGORIES.iter().position(|name| name == category);
        categories.sort_by_key(place);
        categories.dedup();
        categories
    }
}
