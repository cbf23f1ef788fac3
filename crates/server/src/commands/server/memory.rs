use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::state::{ServerCommand, State};

pub(crate) const USAGE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "memory|usage",
        Group::Server,
        Arity::AtLeast(3),
        "Estimates the memory usage of a key.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Range { first: 2, last: 2, step: 1 })
    .since("4.0.0")
    .syntax("key [SAMPLES count]"),
    run: usage,
};

/// MEMORY USAGE key [SAMPLES count]
fn usage(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    if args.keyword("SAMPLES") {
        args.integer_in(0..)?;
    }
    args.finish()?;

    match state.keyspace.database(state.clients[slot].database).entry_memory(key) {
        Some(bytes) => reply.integer(bytes as i64),
        None => reply.null(),
    }
    Ok(())
}
