use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.clearregistrationsstats", "Sets the statistics of all registrations back.", ""),
    args: 0..=0,
    run,
};

/// RG.CLEARREGISTRATIONSSTATS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    engine.identifiers.count_management();
    engine.clear_metrics();
    call.reply.ok();
    Ok(Answer::Ready)
}
