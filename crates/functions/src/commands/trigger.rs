use super::{Call, Command, Refusal, spec};
use crate::config::Key;
use crate::engine::{Answer, Engine};
use crate::registrations::dispatch::queue_full_text;

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.trigger",
        "Calls a function that is registered as a command.",
        "name [argument ...]",
    ),
    args: 1..=usize::MAX,
    run,
};

/// RG.TRIGGER name [argument ...]
pub(super) fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let number = engine.registrations.triggered_by(call.args[0]);
    let number = number.ok_or("ERR subcommand not found")?;
    if engine.registrations.by_number[&number].mode.blocks() && !call.can_block {
        return Err("ERR can not run a non-sync execution inside a MULTI/LUA (blocking is not \
                    allowed) or on loading."
            .into());
    }

    match engine.trigger(call.doors, number, call.client, call.args) {
        Ok(()) => Ok(Answer::Later),
        Err(_) => {
            let why = queue_full_text(engine.config.size(Key::FunctionQueueMax));
            Err(format!("ERR Could not trigger execution, {why}").into())
        }
    }
}
