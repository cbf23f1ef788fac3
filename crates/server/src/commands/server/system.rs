use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::{fail, syntax_error};
use crate::snapshot;
use crate::state::{ServerCommand, State};

const FAST: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);

pub(crate) const TIME: ServerCommand = ServerCommand {
    spec: CommandSpec::new("time", Group::Server, Arity::Exactly(1), "Returns the server time.")
        .flags(FAST)
        .since("2.6.0"),
    run: |state, _slot, _args, reply| {
        let unix_us = state.clock.unix_us();
        reply.array(2);
        reply.text(&(unix_us / 1_000_000).to_string());
        reply.text(&(unix_us % 1_000_000).to_string());
        Ok(())
    },
};

pub(crate) const ROLE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "role",
        Group::Server,
        Arity::Exactly(1),
        "Returns the replication role.",
    )
    .flags(FAST.and(Flags::NO_SCRIPT))
    .categories(&["@admin", "@dangerous"])
    .since("2.8.12"),
    run: |_state, _slot, _args, reply| {
        reply.array(3);
        reply.text("master");
        reply.integer(0);
        reply.array(0);
        Ok(())
    },
};

/// Before the first save, the start of the server stands for it, as in Redis.
pub(crate) const LASTSAVE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "lastsave",
        Group::Server,
        Arity::Exactly(1),
        "Returns the Unix timestamp of the last successful save to disk.",
    )
    .flags(FAST)
    .categories(&["@admin", "@dangerous"]),
    run: |state, _slot, _args, reply| {
        reply.integer(state.last_save.unix_ms / 1000);
        Ok(())
    },
};

pub(crate) const LOLWUT: ServerCommand = ServerCommand {
    spec: CommandSpec::new("lolwut", Group::Server, Arity::AtLeast(1), "Displays the version.")
        .flags(Flags::READONLY.and(Flags::FAST))
        .since("5.0.0")
        .syntax("[VERSION version]"),
    run: |_state, _slot, _args, reply| {
        let text = format!("Mainspring {}\n", env!("CARGO_PKG_VERSION"));
        reply.verbatim(*b"txt", text.as_bytes());
        Ok(())
    },
};

pub(crate) const SHUTDOWN: ServerCommand = ServerCommand {
    spec: CommandSpec::new("shutdown", Group::Server, Arity::AtLeast(1), "Shuts the server down.")
        .flags(
            Flags::ADMIN
                .and(Flags::NO_SCRIPT)
                .and(Flags::LOADING)
                .and(Flags::STALE)
                .and(Flags::NO_MULTI)
                .and(Flags::ALLOW_BUSY),
        )
        .syntax("[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"),
    run: shutdown,
};

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE]
fn shutdown(state: &mut State, _slot: Slot, mut args: Args, _reply: &mut ReplyWriter) -> Result {
    let mut saves = false;
    while !args.is_empty() {
        let known = ["NOSAVE", "NOW", "FORCE"].iter().any(|word| args.keyword(word));
        if !known {
            if !args.keyword("SAVE") {
                return syntax_error();
            }
            saves = true;
        }
    }
    if saves && snapshot::save(state).is_err() {
        return fail("ERR Errors trying to SHUTDOWN. Check logs.");
    }
    state.shutdown = true;
    Ok(())
}
