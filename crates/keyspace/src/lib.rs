//! The data: databases, entries, values, expiry, scan and events.
//!
//! Knows no wire, no command and no client. Time and randomness are handed in.

pub mod value;

pub use value::{Hash, List, Object, Set, SortedSet, Stream, Type};
