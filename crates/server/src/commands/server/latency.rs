//! LATENCY: no event is ever sampled, as with Redis' default `latency-monitor-threshold 0`.

use command_spec::{Arity, CommandSpec, Flags, Group};

use crate::state::ServerCommand;

const fn spec(name: &'static str, arity: Arity, summary: &'static str) -> CommandSpec {
    CommandSpec::new(name, Group::Server, arity, summary)
        .flags(Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE))
        .since("2.8.13")
}

pub(crate) const HISTORY: ServerCommand = ServerCommand {
    spec: spec(
        "latency|history",
        Arity::Exactly(3),
        "Returns timestamp-latency samples for an event.",
    )
    .syntax("event"),
    run: |_state, _slot, _args, reply| {
        reply.array(0);
        Ok(())
    },
};

pub(crate) const LATEST: ServerCommand = ServerCommand {
    spec: spec(
        "latency|latest",
        Arity::Exactly(2),
        "Returns the latest latency samples for all events.",
    ),
    run: |_state, _slot, _args, reply| {
        reply.array(0);
        Ok(())
    },
};

pub(crate) const RESET: ServerCommand = ServerCommand {
    spec: spec(
        "latency|reset",
        Arity::AtLeast(2),
        "Resets the latency data for one or more events.",
    )
    .syntax("[event [event ...]]"),
    run: |_state, _slot, _args, reply| {
        reply.integer(0);
        Ok(())
    },
};
