use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

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

    Ok(engine.trigger(call.doors, number, call.client, call.args, call.can_block)?)
}
