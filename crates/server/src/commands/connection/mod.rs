//! The client's own connection: greeting, authentication, selection, names.

mod auth;
mod client;
mod greeting;
mod hello;

pub(crate) use client::apply_reply_mode;

use command_spec::Flags;

use crate::state::ServerCommand;

/// Of commands that begin, change or end a connection, in whatever state it and the server are.
const HANDSHAKE: Flags = Flags::NO_SCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);

pub(crate) const COMMANDS: &[&ServerCommand] = &[
    &auth::AUTH,
    &client::GETNAME,
    &client::GETREDIR,
    &client::ID,
    &client::INFO,
    &client::KILL,
    &client::LIST,
    &client::NO_EVICT,
    &client::NO_TOUCH,
    &client::REPLY,
    &client::SETINFO,
    &client::SETNAME,
    &client::TRACKING,
    &client::TRACKINGINFO,
    &client::UNBLOCK,
    &client::UNPAUSE,
    &greeting::ECHO,
    &greeting::PING,
    &greeting::QUIT,
    &greeting::RESET,
    &greeting::SELECT,
    &hello::HELLO,
];
