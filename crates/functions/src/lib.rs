//! The function engine: sessions, plans, executions and registrations between two doors.
//!
//! It owns no thread, no socket and no data. A host drives it: see [`host::Host`] and [`worker::Workers`].

pub mod host;
pub mod plan;
pub mod worker;
