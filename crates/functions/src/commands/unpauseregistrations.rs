use super::pauseregistrations::find_stream;
use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.unpauseregistrations", "Lets a paused stream registration go on.", "id"),
    args: 1..=1,
    run,
};

/// RG.UNPAUSEREGISTRATIONS id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let number = find_stream(engine, call.args[0], "unpause")?;

    engine.identifiers.count_management();
    engine.unpause_stream(number);
    call.reply.ok();
    Ok(Answer::Ready)
}
