//! What saves the data. What is not there is refused, so that nobody takes the data for saved.

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Error, Result};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::snapshot;
use crate::state::{ServerCommand, State};

const fn spec(
    name: &'static str,
    arity: Arity,
    flags: Flags,
    summary: &'static str,
) -> CommandSpec {
    CommandSpec::new(name, Group::Server, arity, summary)
        .flags(Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING))
        .flags(flags)
}

pub(crate) const BGREWRITEAOF: ServerCommand = ServerCommand {
    spec: spec(
        "bgrewriteaof",
        Arity::Exactly(1),
        Flags::NONE,
        "Asynchronously rewrites the append-only file to disk.",
    ),
    run: |_state, _slot, _args, _reply| fail("ERR There is no append-only file yet"),
};

pub(crate) const BGSAVE: ServerCommand = ServerCommand {
    spec: spec(
        "bgsave",
        Arity::AtLeast(1),
        Flags::NONE,
        "Asynchronously saves the database to disk.",
    ),
    run: |_state, _slot, _args, _reply| {
        fail("ERR Saving in the background is not supported yet, but SAVE is")
    },
};

pub(crate) const SAVE: ServerCommand = ServerCommand {
    spec: spec(
        "save",
        Arity::Exactly(1),
        Flags::NO_MULTI,
        "Synchronously saves the database to disk.",
    ),
    run: save,
};

/// SAVE
fn save(state: &mut State, _slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    snapshot::save(state)
        .map_err(|error| Error::Text(format!("ERR Cannot save the data: {error}").into()))?;
    reply.ok();
    Ok(())
}
