//! The client's own connection: greeting, authentication, selection, names.

mod auth;
mod client;
mod greeting;
mod hello;

pub(crate) use client::apply_reply_mode;

use crate::state::ServerCommand;

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
