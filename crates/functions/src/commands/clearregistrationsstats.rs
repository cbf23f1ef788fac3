use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::registrations::Trigger;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.clearregistrationsstats", "Sets the statistics of all registrations back.", ""),
    args: 0..=0,
    run,
};

/// RG.CLEARREGISTRATIONSSTATS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    engine.identifiers.count_management();
    for registration in engine.registrations.by_number.values_mut() {
        registration.statistics.clear();
        if let Trigger::Stream(stream) = &mut registration.trigger {
            (stream.last_lag_ms, stream.total_lag_ms) = (0, 0);
        }
    }
    call.reply.ok();
    Ok(Answer::Ready)
}
