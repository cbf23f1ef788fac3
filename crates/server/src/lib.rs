//! The standalone host: listener, connections, event loop and dispatch. The only crate with sockets.
//!
//! One thread owns the data. A turn of its loop has three phases (`event_loop/`): read and decode what every ready socket
//! has, execute all requests, write to every client once. `dispatch.rs` is the way of one request; `dispatch::call`
//! is the one door that clients, transactions and functions come through.

mod backpressure;
mod blocking;
mod client;
mod clients;
mod clock;
mod command_table;
mod commands;
mod config;
mod connection;
mod dispatch;
mod event_loop;
mod eviction;
mod function_calls;
mod gears;
mod handle;
mod hooks;
mod lazy_free;
mod listener;
mod log;
mod monitor;
mod notify;
mod process;
mod pubsub;
mod removals;
mod slowlog;
mod snapshot;
mod spin;
mod state;
mod statistics;
mod stopwatch;
mod transaction;

pub use config::{Config, ConfigError};
pub use event_loop::Server;
pub use handle::Handle;

/// The Redis whose commands and replies this server gives: clients gate features on it.
pub const REDIS_VERSION: &str = "7.2.4";
