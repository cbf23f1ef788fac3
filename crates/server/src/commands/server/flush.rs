use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::{fail, syntax_error};
use crate::state::{ServerCommand, State};

pub(crate) const FLUSHALL: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "flushall",
        Group::Server,
        Arity::AtLeast(1),
        "Removes all keys from all databases.",
    )
    .flags(Flags::WRITE)
    .categories(&["@keyspace", "@dangerous"])
    .syntax("[ASYNC|SYNC]"),
    run: flushall,
};

/// FLUSHALL [ASYNC | SYNC]
fn flushall(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let known = args.is_empty() || args.keyword("ASYNC") || args.keyword("SYNC");
    if !known || !args.is_empty() {
        return syntax_error();
    }

    state.keyspace.flush_all();
    reply.ok();
    Ok(())
}

pub(crate) const SWAPDB: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "swapdb",
        Group::Server,
        Arity::Exactly(3),
        "Swaps two Redis databases.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .categories(&["@keyspace", "@dangerous"])
    .since("4.0.0")
    .syntax("index1 index2"),
    run: swapdb,
};

/// SWAPDB index1 index2
fn swapdb(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let Ok(first) = args.small_integer() else { return fail("ERR invalid first DB index") };
    let Ok(second) = args.small_integer() else { return fail("ERR invalid second DB index") };
    let in_range = |index: i32| {
        usize::try_from(index).ok().filter(|index| *index < state.keyspace.databases())
    };
    let (Some(first), Some(second)) = (in_range(first), in_range(second)) else {
        return fail("ERR DB index is out of range");
    };

    state.keyspace.swap(first, second);
    reply.ok();
    Ok(())
}
