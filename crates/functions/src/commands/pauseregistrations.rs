use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::identifier::RegistrationNumber;
use crate::registrations::Trigger;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.pauseregistrations", "Stops a stream registration for a while.", "id"),
    args: 1..=1,
    run,
};

/// RG.PAUSEREGISTRATIONS id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let number = find_stream(engine, call.args[0], "pause")?;

    engine.identifiers.count_management();
    engine.pause_stream(call.doors, number);
    call.reply.ok();
    Ok(Answer::Ready)
}

/// Only registrations on streams can be paused.
pub(super) fn find_stream(
    engine: &Engine,
    id: &[u8],
    verb: &str,
) -> Result<RegistrationNumber, Refusal> {
    let number = engine.find_registration(id).ok_or_else(|| {
        let shard = engine.identifiers.node();
        format!("Execution {} does not exists on shard {shard}", String::from_utf8_lossy(id))
    })?;
    let registration = &engine.registrations.by_number[&number];
    match registration.trigger {
        Trigger::Stream(_) => Ok(number),
        Trigger::Keys(_) | Trigger::Command(_) | Trigger::Cron(_) => {
            let reader = registration.reader().name();
            Err(format!("Reader {reader} does not support {verb}").into())
        }
    }
}
