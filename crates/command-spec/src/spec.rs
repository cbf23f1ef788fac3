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

/// Everything a command says of itself.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Lower case; a subcommand is named `container|name`.
    pub name: &'static str,
    pub group: Group,
    pub arity: Arity,
    pub flags: Flags,
    pub keys: Keys,
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

    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

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
        categories.extend(self.group.acl_category());
        categories
    }
}
