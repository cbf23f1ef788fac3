//! What saves the data elsewhere: refused, so that nobody takes it for saved.

use command_spec::{Arity, CommandSpec, Flags, Group};

use crate::commands::fail;
use crate::state::ServerCommand;

const fn refused(
    name: &'static str,
    arity: Arity,
    flags: Flags,
    summary: &'static str,
) -> ServerCommand {
    ServerCommand {
        spec: CommandSpec::new(name, Group::Server, arity, summary)
            .flags(Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::NO_ASYNC_LOADING))
            .flags(flags),
        run: |_state, _slot, _args, _reply| fail("ERR Saving to disk is not supported yet"),
    }
}

pub(crate) const BGREWRITEAOF: ServerCommand = refused(
    "bgrewriteaof",
    Arity::Exactly(1),
    Flags::NONE,
    "Asynchronously rewrites the append-only file to disk.",
);

pub(crate) const BGSAVE: ServerCommand =
    refused("bgsave", Arity::AtLeast(1), Flags::NONE, "Asynchronously saves the database to disk.");

pub(crate) const SAVE: ServerCommand = refused(
    "save",
    Arity::Exactly(1),
    Flags::NO_MULTI,
    "Synchronously saves the database to disk.",
);
