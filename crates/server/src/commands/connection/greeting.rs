use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Error, Result};
use resp::{Protocol, ReplyWriter};

use super::HANDSHAKE;
use crate::client::{ReplyMode, Slot};
use crate::commands::forget_subscriptions;
use crate::state::{ServerCommand, State};

pub(crate) const PING: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "ping",
        Group::Connection,
        Arity::AtLeast(1),
        "Returns the server's liveliness response.",
    )
    .flags(Flags::FAST)
    .syntax("[message]"),
    run: ping,
};

/// PING [message]
fn ping(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.len() > 1 {
        return Err(Error::text("ERR wrong number of arguments for 'ping' command").into());
    }
    if state.clients[slot].is_restricted_to_subscriptions() {
        reply.array(2);
        reply.text("pong");
        reply.bulk(if args.is_empty() { b"" } else { args.bytes()? });
        return Ok(());
    }
    if args.is_empty() {
        reply.simple("PONG")
    } else {
        reply.bulk(args.bytes()?)
    }
    Ok(())
}

pub(crate) const ECHO: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "echo",
        Group::Connection,
        Arity::Exactly(2),
        "Returns the given string.",
    )
    .flags(Flags::LOADING.and(Flags::STALE).and(Flags::FAST))
    .syntax("message"),
    run: echo,
};

/// ECHO message
fn echo(_state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    reply.bulk(args.bytes()?);
    Ok(())
}

pub(crate) const SELECT: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "select",
        Group::Connection,
        Arity::Exactly(2),
        "Changes the selected database.",
    )
    .flags(Flags::LOADING.and(Flags::STALE).and(Flags::FAST))
    .syntax("index"),
    run: select,
};

/// SELECT index
fn select(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let index = args.small_integer()?;
    let index = usize::try_from(index).ok().filter(|index| *index < state.keyspace.databases());
    let Some(index) = index else {
        return Err(Error::text("ERR DB index is out of range").into());
    };

    state.clients[slot].database = index;
    reply.ok();
    Ok(())
}

pub(crate) const QUIT: ServerCommand = ServerCommand {
    spec: CommandSpec::new("quit", Group::Connection, Arity::AtLeast(1), "Closes the connection.")
        .flags(HANDSHAKE),
    run: quit,
};

/// QUIT
fn quit(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    state.clients[slot].closing = true;
    reply.ok();
    Ok(())
}

pub(crate) const RESET: ServerCommand = ServerCommand {
    spec: CommandSpec::new("reset", Group::Connection, Arity::Exactly(1), "Resets the connection.")
        .flags(HANDSHAKE)
        .since("6.2.0"),
    run: reset,
};

/// RESET: the connection is as if it had just been opened.
fn reset(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    forget_subscriptions(state, slot);
    crate::monitor::stop(state, slot);
    let client = &mut state.clients[slot];
    client.transaction.close(&mut state.keyspace);
    client.database = 0;
    client.protocol = Protocol::Resp2;
    client.name.clear();
    client.reply_mode = ReplyMode::On;
    client.authenticated = state.settings.password.is_none();
    reply.set_protocol(Protocol::Resp2);
    reply.simple("RESET");
    Ok(())
}
