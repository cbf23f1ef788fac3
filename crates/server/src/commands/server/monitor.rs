use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::state::{ServerCommand, State};

pub(crate) const MONITOR: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "monitor",
        Group::Server,
        Arity::Exactly(1),
        "Listens for all requests received by the server in real-time.",
    )
    .flags(Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE)),
    run: monitor,
};

/// MONITOR
fn monitor(state: &mut State, slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    if state.depth > 0 {
        return fail("ERR MONITOR isn't allowed for DENY BLOCKING client");
    }
    // Whoever monitors already is told nothing, as in Redis.
    if crate::monitor::start(state, slot) {
        reply.ok();
    }
    Ok(())
}
