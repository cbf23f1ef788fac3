use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::registrations::dispatch::Pending;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.unregister", "Ends a registration.", "id [ABORTPENDING]"),
    args: 1..=2,
    run,
};

/// RG.UNREGISTER id [ABORTPENDING]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let number = engine.find_registration(call.args[0]).ok_or("execution is not registered")?;
    let aborts = call.args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"ABORTPENDING"));

    let pending = if aborts { Pending::Abort } else { Pending::Keep };
    engine.unregister(call.doors, number, pending);
    call.reply.ok();
    Ok(Answer::Ready)
}
