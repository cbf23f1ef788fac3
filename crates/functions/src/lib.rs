//! The function engine: sessions, plans, executions and registrations between two doors.
//!
//! It owns no thread, no socket and no data. A host drives it: see [`Engine`], [`host::Host`] and [`worker::Workers`].

mod calls;
mod cascade;
mod commands;
mod config;
mod deadlines;
mod engine;
mod execution;
pub mod host;
mod identifier;
mod info;
mod inside;
#[cfg(test)]
mod invariants;
mod lease;
mod metrics;
mod operators;
mod owed;
pub mod plan;
mod profiling;
mod readers;
mod registrations;
mod requests;
mod requirements;
mod session;
#[cfg(test)]
mod testing;
pub mod worker;

pub use calls::FunctionCall;
pub use config::Config;
pub use engine::{Answer, Doors, Engine};
pub use identifier::RegistrationNumber;
pub use inside::Inside;
pub use lease::Lease;
pub use registrations::{Announced, CauseId, During, HookedCall, Pattern};
