use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::syntax_error;
use crate::state::{ServerCommand, State};

const fn spec(name: &'static str, summary: &'static str) -> CommandSpec {
    CommandSpec::new(name, Group::Server, Arity::Exactly(2), summary).since("4.0.0")
}

pub(crate) const DOCTOR: ServerCommand = ServerCommand {
    spec: spec("memory|doctor", "Outputs a memory problems report."),
    run: |state, _slot, _args, reply| {
        let report = format!(
            "Keys and values take {} bytes. No diagnosis is made beyond that.",
            state.keyspace.used_memory()
        );
        reply.verbatim(*b"txt", report.as_bytes());
        Ok(())
    },
};

pub(crate) const PURGE: ServerCommand = ServerCommand {
    spec: spec("memory|purge", "Asks the allocator to release memory."),
    // The allocator gives back by itself what stays unused.
    run: |_state, _slot, _args, reply| {
        reply.ok();
        Ok(())
    },
};

pub(crate) const STATS: ServerCommand = ServerCommand {
    spec: spec("memory|stats", "Returns details about memory usage."),
    run: |state, _slot, _args, reply| {
        let used = state.keyspace.used_memory();
        let databases = 0..state.keyspace.databases();
        let keys: usize = databases.map(|db| state.keyspace.database(db).len()).sum();
        let clients: usize = state.clients.iter().map(|(_, client)| client.output.capacity()).sum();
        let fields = [
            ("total.allocated", used),
            ("clients.normal", clients),
            ("keys.count", keys),
            ("keys.bytes-per-key", used.checked_div(keys).unwrap_or(0)),
            ("dataset.bytes", used),
        ];
        reply.map(fields.len());
        for (name, value) in fields {
            reply.text(name);
            reply.integer(value as i64);
        }
        Ok(())
    },
};

pub(crate) const USAGE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "memory|usage",
        Group::Server,
        Arity::AtLeast(3),
        "Estimates the memory usage of a key.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Range { first: 2, last: 2, step: 1 })
    .key_flags(&["RO"])
    .since("4.0.0")
    .syntax("key [SAMPLES count]"),
    run: usage,
};

/// MEMORY USAGE key [SAMPLES count]
fn usage(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    if args.keyword("SAMPLES") && args.integer()? < 0 {
        return syntax_error();
    }
    args.finish()?;

    match state.keyspace.database(state.clients[slot].database).entry_memory(key) {
        Some(bytes) => reply.integer(bytes as i64),
        None => reply.null(),
    }
    Ok(())
}
