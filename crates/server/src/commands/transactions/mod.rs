//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::dispatch::call;
use crate::state::{ServerCommand, State};

pub(crate) const COMMANDS: &[&ServerCommand] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

const FLAGS: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::ALLOW_BUSY);

const MULTI: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "multi",
        Group::Transactions,
        Arity::Exactly(1),
        "Starts a transaction.",
    )
    .flags(FLAGS.and(Flags::FAST))
    .since("1.2.0"),
    run: multi,
};

/// MULTI
fn multi(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    let transaction = &mut state.clients[slot].transaction;
    if transaction.is_open() {
        return fail("ERR MULTI calls can not be nested");
    }
    transaction.queue = Some(Vec::new());
    reply.ok();
    Ok(())
}

const EXEC: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "exec",
        Group::Transactions,
        Arity::Exactly(1),
        "Executes all commands in a transaction.",
    )
    .flags(Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SKIP_SLOWLOG))
    .since("1.2.0"),
    run: exec,
};

/// EXEC
fn exec(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    let transaction = &mut state.clients[slot].transaction;
    if !transaction.is_open() {
        return fail("ERR EXEC without MULTI");
    }
    let broken = transaction.broken;
    let undisturbed = transaction.is_undisturbed(&mut state.keyspace);
    let queue = transaction.close(&mut state.keyspace);
    if broken {
        return fail("EXECABORT Transaction discarded because of previous errors.");
    }
    if !undisturbed {
        reply.null_array();
        return Ok(());
    }

    reply.array(queue.len());
    state.depth += 1;
    let mut out = Vec::new();
    for queued in queue {
        let request: Vec<&[u8]> = queued.request.iter().map(Vec::as_slice).collect();
        call(state, slot, queued.entry, &request, &mut out);
        reply.raw(&out);
        out.clear();
    }
    state.depth -= 1;
    Ok(())
}

const DISCARD: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "discard",
        Group::Transactions,
        Arity::Exactly(1),
        "Discards a transaction.",
    )
    .flags(FLAGS.and(Flags::FAST))
    .since("2.0.0"),
    run: discard,
};

/// DISCARD
fn discard(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    let transaction = &mut state.clients[slot].transaction;
    if !transaction.is_open() {
        return fail("ERR DISCARD without MULTI");
    }
    transaction.close(&mut state.keyspace);
    reply.ok();
    Ok(())
}

const WATCH: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "watch",
        Group::Transactions,
        Arity::AtLeast(2),
        "Monitors changes to keys to determine the execution of a transaction.",
    )
    .flags(FLAGS.and(Flags::FAST))
    .keys(Keys::ALL)
    .key_flags(&["RO"])
    .since("2.2.0")
    .syntax("key [key ...]"),
    run: watch,
};

/// WATCH key [key ...]
fn watch(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let client = &mut state.clients[slot];
    if client.transaction.is_open() {
        return fail("ERR WATCH inside MULTI is not allowed");
    }
    for key in args.rest() {
        client.transaction.watch(&mut state.keyspace, client.database, key);
    }
    reply.ok();
    Ok(())
}

const UNWATCH: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "unwatch",
        Group::Transactions,
        Arity::Exactly(1),
        "Forgets about watched keys of a transaction.",
    )
    .flags(FLAGS.and(Flags::FAST))
    .since("2.2.0"),
    run: unwatch,
};

/// UNWATCH
fn unwatch(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    state.clients[slot].transaction.unwatch(&mut state.keyspace);
    reply.ok();
    Ok(())
}
