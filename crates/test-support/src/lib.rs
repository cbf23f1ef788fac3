//! An independent witness of what a server says: its own small client, golden scripts and random conversations.
//!
//! Reading order: [`Target`] starts a server, [`Connect`] opens a [`Wire`] to it, [`Client`] turns bytes into a [`Reply`],
//! [`Conversation`] speaks the lines of a [`Script`], [`golden`] runs every script on every target, and [`random`] holds
//! two targets against each other.
//!
//! Invariant: nothing here uses the project's own wire code, so that no mistake can hide by being made twice.

mod client;
mod conversation;
mod expectation;
pub mod golden;
mod interpreters;
mod order;
pub mod random;
mod reply;
mod script;
mod server_process;
mod target;
mod wire;
mod words;

pub use client::{Client, Received};
pub use conversation::Conversation;
pub use interpreters::{Interpreter, interpreters};
pub use order::Order;
pub use reply::Reply;
pub use script::Script;
pub use server_process::ServerProcess;
pub use target::{
    Address, Mainspring, ModuleHost, Oracle, Target, chosen_processes, chosen_targets,
};
pub use wire::{Connect, Wire};
pub use words::{quote, split};
