//! A server without replicas, which is no replica either.

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Absence, Result, Wait};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::state::{ServerCommand, State};

pub(crate) const WAIT: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "wait",
        Group::Generic,
        Arity::Exactly(3),
        "Blocks until the preceding writes have reached a number of replicas.",
    )
    .flags(Flags::NO_SCRIPT)
    .categories(&["@connection"])
    .since("3.0.0")
    .syntax("numreplicas timeout"),
    run: wait,
};

/// WAIT numreplicas timeout: none will ever be reached, so only the time can pass.
fn wait(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let replicas = args.integer()?;
    let Ok(timeout_ms) = args.integer() else {
        return fail("ERR timeout is not an integer or out of range");
    };
    if timeout_ms < 0 {
        return fail("ERR timeout is negative");
    }
    if replicas <= 0 {
        reply.integer(0);
        return Ok(());
    }
    let deadline_ms = match timeout_ms {
        0 => None,
        _ => Some(state.clock.unix_ms().saturating_add(timeout_ms)),
    };
    let (absence, refusal) = (Absence::Zero, Absence::Zero);
    Err(Wait { keys: Vec::new(), deadline_ms, absence, refusal, retry: None }.into())
}

const fn replica_of(name: &'static str, since: &'static str) -> ServerCommand {
    ServerCommand {
        spec: CommandSpec::new(
            name,
            Group::Server,
            Arity::Exactly(3),
            "Configures a server as replica of another, or promotes it to a master.",
        )
        .flags(Flags::ADMIN.and(Flags::NO_ASYNC_LOADING).and(Flags::NO_SCRIPT).and(Flags::STALE))
        .since(since)
        .syntax("host port"),
        run: follow,
    }
}

pub(crate) const REPLICAOF: ServerCommand = replica_of("replicaof", "5.0.0");
pub(crate) const SLAVEOF: ServerCommand = replica_of("slaveof", "1.0.0");

/// REPLICAOF NO ONE: it is so already.
fn follow(_state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.keyword("NO") && args.keyword("ONE") {
        reply.ok();
        return Ok(());
    }
    fail("ERR Replication is not supported yet")
}
