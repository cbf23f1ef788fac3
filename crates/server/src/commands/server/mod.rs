//! The server as a whole: COMMAND, CONFIG, INFO, TIME, modules, shutdown.

mod command;
mod command_docs;
mod config;
mod flush;
mod info;
mod memory;
mod modules;
mod slowlog;
mod system;

pub(crate) use modules::write_modules;

use crate::state::ServerCommand;

pub(crate) const COMMANDS: &[&ServerCommand] = &[
    &command::COMMAND,
    &command::COUNT,
    &command::GETKEYS,
    &command::INFO,
    &command::LIST,
    &command_docs::DOCS,
    &config::GET,
    &config::RESETSTAT,
    &config::SET,
    &flush::FLUSHALL,
    &flush::SWAPDB,
    &info::INFO,
    &memory::USAGE,
    &modules::CLUSTER_INFO,
    &modules::CLUSTER_SLOTS,
    &modules::LIST,
    &slowlog::GET,
    &slowlog::LEN,
    &slowlog::RESET,
    &system::LASTSAVE,
    &system::LOLWUT,
    &system::ROLE,
    &system::SHUTDOWN,
    &system::TIME,
];
