//! The engine's door to the data.
//!
//! A host lends itself for the length of one call and is never stored: that is why there is no ownership cycle and no
//! lock between the engine and its server, be it our own or a Valkey that loaded us as a module.

use std::borrow::Cow;

use resp::{Reply, read_reply};

use crate::registrations::Pattern;
use crate::worker::{Token, WorkerId};

/// The client a reply is owed to; the host's own number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// The levels that `log()` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
}

/// A value as a reader sees it, borrowed for one visit.
pub enum Value<'a> {
    /// The key vanished between the scan and the read.
    Missing,
    String(&'a [u8]),
    List(&'a mut dyn Iterator<Item = &'a [u8]>),
    Hash(&'a mut dyn Iterator<Item = (&'a [u8], &'a [u8])>),
    /// This one and the next two are shown of keys that go: see [`Remains`].
    Set(&'a mut dyn Iterator<Item = Cow<'a, [u8]>>),
    /// Members with their scores, in order.
    SortedSet(&'a mut dyn Iterator<Item = (&'a [u8], f64)>),
    Stream(&'a mut dyn Iterator<Item = StreamEntry<'a>>),
    /// A type that RedisGears gives no value for: "set", "zset", "module", "unknown" (streams).
    Opaque(&'static str),
}

impl Value<'_> {
    /// As records call the type; nothing is "empty".
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Missing => "empty",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
            Value::Stream(_) => "stream",
            Value::Opaque(name) => name,
        }
    }
}

pub struct StreamEntry<'a> {
    pub id: String,
    pub fields: Vec<(&'a [u8], &'a [u8])>,
}

/// How much of a key a reader wants; what it does not want is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    Key,
    KeyAndValue,
}

/// What a command says of itself to those who would stand in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandFacts {
    pub no_script: bool,
    pub movable_keys: bool,
    /// As COMMAND says it: 0 without keys.
    pub first_key: i64,
    pub key_step: i64,
}

pub trait Host {
    /// The one clock, in Unix milliseconds, as of this turn of the loop.
    fn now_ms(&self) -> i64;

    /// Microseconds of a monotonic clock, for durations only.
    fn monotonic_us(&self) -> u64;

    /// The same clock as of this turn of the loop, if the host keeps that: read for each of thousands of events.
    fn turn_us(&self) -> u64 {
        self.monotonic_us()
    }

    /// Runs one command through the same door as any client's (database 0, no ACL) and appends its RESP2 reply.
    /// Commands that would block answer as they do inside MULTI.
    fn call(&mut self, args: &[&[u8]], reply: &mut Vec<u8>);

    /// Visits about `count` keys of database 0 that match `pattern`, from `cursor` on; 0 starts, 0 ends.
    /// Every key present throughout a whole walk is visited.
    fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        projection: Projection,
        visit: &mut dyn FnMut(&[u8], Value<'_>),
    ) -> u64;

    /// Reads one key of database 0 without touching statistics, access time or miss events.
    fn read(&mut self, key: &[u8], projection: Projection, visit: &mut dyn FnMut(Value<'_>));

    /// Hands a late reply (RESP2 wire bytes, one whole reply) to a client that was told to wait.
    fn reply(&mut self, client: ClientId, wire: &[u8]);

    fn log(&mut self, level: Level, message: &str);

    /// Random bytes for identifiers.
    fn random(&mut self, into: &mut [u8]);

    /// Which keyspace events the engine wants from now on; called whenever registrations change.
    fn watch_events(&mut self, interest: EventInterest);

    /// Whose removal the engine wants to know of from now on; called whenever that changes.
    fn watch_removals(&mut self, wanted: &[RemovalInterest]);

    /// Lends a key of database 0 as it would be told if it went now, and leaves no trace.
    fn look(&mut self, key: &[u8], visit: &mut dyn FnMut(Option<&dyn Remains>));

    /// The names of all keyspace events that there can be. Those of [`Removal`] are among them if the host can tell what
    /// removed keys held.
    fn event_names(&self) -> Vec<&'static str>;

    /// `None`: there is no such command.
    fn command_facts(&mut self, name: &[u8]) -> Option<CommandFacts>;

    /// Which commands, by their names in lower case, have hooks, and which have events that functions wait for; called
    /// whenever that changes.
    fn watch_commands(&mut self, hooked: &[&str], caused: &[&str]);

    /// A client that [`crate::Engine::hold`] made wait may go on.
    fn release(&mut self, client: ClientId);

    /// Nobody wants the reply of this call any more: see [`crate::Engine::call_waits`].
    fn cancel_call(&mut self, worker: WorkerId, token: Token);
}

/// Which keyspace events the host has to hand to the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventInterest {
    /// Any event of the generic, string, list … classes, expiry and eviction included.
    pub keyspace: bool,
    /// Reads of absent keys.
    pub misses: bool,
    /// Only appends to streams (a subset of `keyspace`).
    pub streams: bool,
}

/// How a key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// By a command.
    Deleted,
    Expired,
    /// For want of memory.
    Evicted,
}

impl Removal {
    pub const ALL: [Removal; 3] = [Removal::Deleted, Removal::Expired, Removal::Evicted];

    pub(crate) fn named(event: &str) -> Option<Removal> {
        Removal::ALL.into_iter().find(|removal| removal.event() == event)
    }

    /// What registrations call it.
    pub const fn event(self) -> &'static str {
        match self {
            Removal::Deleted => "before_deleted",
            Removal::Expired => "before_expired",
            Removal::Evicted => "before_evicted",
        }
    }
}

/// Removals that a registration waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalInterest {
    pub removal: Removal,
    pub keys: Pattern,
    /// Its function runs inside the command: before it, where the host can foresee a deletion.
    pub inside: bool,
}

/// What a key held when it went.
pub trait Remains {
    /// As KeysReader names types, but streams, which it calls unknown.
    fn type_name(&self) -> &'static str;

    /// Unlike [`Host::read`], this shows the value of any type. What is lost is shown as an opaque one.
    fn show(&self, visit: &mut dyn FnMut(Value<'_>));

    /// There was too much of it to be kept.
    fn is_lost(&self) -> bool;

    /// When the key would have expired, or has, in Unix milliseconds.
    fn expires_at_ms(&self) -> Option<i64>;

    /// What keeping it takes.
    fn bytes(&self) -> usize;
}

/// A command's reply as a value; an error reply as its text.
pub(crate) fn ask(host: &mut dyn Host, args: &[&[u8]]) -> Result<Reply, String> {
    let mut wire = Vec::new();
    host.call(args, &mut wire);
    match read_reply(&wire) {
        Ok(Some((Reply::Error(text), _))) => Err(String::from_utf8_lossy(&text).into_owned()),
        Ok(Some((reply, _))) => Ok(reply),
        Ok(None) | Err(_) => Err("ERR the host gave no reply that can be read".into()),
    }
}
