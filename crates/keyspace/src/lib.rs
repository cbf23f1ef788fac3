//! The data: databases, entries, values, expiry, scan and events.
//!
//! Knows no wire, no command and no client. Time and randomness are handed in.
//!
//! A [`Keyspace`] has databases; each is a table (`table.rs`) of segments (`segment.rs`) of pointers to entries (`entry.rs`).
//! Commands see a [`Database`].

mod access;
mod awaited;
mod database;
mod entry;
mod event;
mod eviction;
mod expiry;
mod key_hash;
mod keyspace;
mod lazy;
mod random;
mod removal;
mod scan;
mod segment;
mod statistics;
mod store;
mod table;
pub mod value;
mod watch;

pub use access::{AccessPolicy, LfuOptions};
pub use database::Database;
pub use event::{Event, EventClass, EventKind, Interest};
pub use eviction::EvictionPolicy;
pub use expiry::Expiry;
pub use keyspace::{Keyspace, Options};
pub use lazy::{Garbage, Sink};
pub use random::Random;
pub use removal::{Removed, WantedKeys, WantedRemoval};
pub use statistics::{DatabaseStatistics, Statistics};
pub use value::{
    Decimal, Hash, Limits, List, Object, Set, SortedSet, Stream, StringRef, Type, Value, ValueRef,
    ValueType, WrongType,
};
pub use watch::WatchVersion;
