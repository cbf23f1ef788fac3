//! The server as a whole: COMMAND, CONFIG, INFO, TIME, modules, shutdown.

mod acl;
mod command;
mod command_docs;
mod config;
mod flush;
mod info;
mod latency;
mod memory;
mod modules;
mod monitor;
mod persistence;
mod replication;
mod slowlog;
mod system;

pub(crate) use modules::write_modules;

use crate::state::ServerCommand;

pub(crate) const COMMANDS: &[&ServerCommand] = &[
    &acl::CAT,
    &acl::GETUSER,
    &acl::LIST,
    &acl::USERS,
    &acl::WHOAMI,
    &command::COMMAND,
    &command::COUNT,
    &command::GETKEYS,
    &command::GETKEYSANDFLAGS,
    &command::INFO,
    &command::LIST,
    &command_docs::DOCS,
    &config::GET,
    &config::RESETSTAT,
    &config::REWRITE,
    &config::SET,
    &flush::FLUSHALL,
    &flush::SWAPDB,
    &info::INFO,
    &latency::HISTORY,
    &latency::LATEST,
    &latency::RESET,
    &memory::DOCTOR,
    &memory::PURGE,
    &memory::STATS,
    &memory::USAGE,
    &modules::CLUSTER_INFO,
    &modules::CLUSTER_SLOTS,
    &modules::CLUSTER_KEYSLOT,
    &modules::CLUSTER_MYID,
    &modules::CLUSTER_NODES,
    &modules::CLUSTER_SHARDS,
    &modules::LIST,
    &monitor::MONITOR,
    &persistence::BGREWRITEAOF,
    &persistence::BGSAVE,
    &persistence::SAVE,
    &replication::REPLICAOF,
    &replication::SLAVEOF,
    &replication::WAIT,
    &slowlog::GET,
    &slowlog::LEN,
    &slowlog::RESET,
    &system::LASTSAVE,
    &system::LOLWUT,
    &system::ROLE,
    &system::SHUTDOWN,
    &system::TIME,
];
