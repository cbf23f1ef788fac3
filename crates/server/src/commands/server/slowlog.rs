use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::{fail, wrong_usage};
use crate::state::{ServerCommand, State};

const FLAGS: Flags = Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE);

pub(crate) const GET: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "slowlog|get",
        Group::Server,
        Arity::AtLeast(2),
        "Returns the slow log's entries.",
    )
    .flags(FLAGS)
    .since("2.2.12")
    .syntax("[count]"),
    run: get,
};

/// SLOWLOG GET [count]: -1 for all.
fn get(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut count = 10;
    if !args.is_empty() {
        count = args.integer().unwrap_or(i64::MIN);
        if !args.is_empty() {
            return wrong_usage("GET", "SLOWLOG");
        }
        if count < -1 {
            return fail("ERR count should be greater than or equal to -1");
        }
    }
    let entries = state.slowlog.entries();
    let shown = usize::try_from(count).unwrap_or(usize::MAX).min(entries.len());
    reply.array(shown);
    for entry in entries.take(shown) {
        reply.array(6);
        reply.integer(entry.id);
        reply.integer(entry.unix_seconds);
        reply.integer(entry.microseconds as i64);
        reply.array(entry.request.len());
        entry.request.iter().for_each(|argument| reply.bulk(argument));
        reply.text(&entry.client);
        reply.bulk(&entry.client_name);
    }
    Ok(())
}

pub(crate) const LEN: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "slowlog|len",
        Group::Server,
        Arity::Exactly(2),
        "Returns the number of entries in the slow log.",
    )
    .flags(FLAGS)
    .since("2.2.12"),
    run: |state, _slot, _args, reply| {
        reply.integer(state.slowlog.entries().len() as i64);
        Ok(())
    },
};

pub(crate) const RESET: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "slowlog|reset",
        Group::Server,
        Arity::Exactly(2),
        "Clears all entries from the slow log.",
    )
    .flags(FLAGS)
    .since("2.2.12"),
    run: |state, _slot, _args, reply| {
        state.slowlog.clear();
        reply.ok();
        Ok(())
    },
};
