use super::{Call, Command, NO_EXECUTION, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.dropexecution", "Forgets an execution that is over.", "id"),
    args: 1..=1,
    run,
};

/// RG.DROPEXECUTION id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (id, execution) = engine.find_execution(call.args[0], NO_EXECUTION)?;
    if !execution.status.is_over() {
        return Err("can not drop a not yet finished execution, abort it first.".into());
    }

    engine.forget_execution(id);
    call.reply.ok();
    Ok(Answer::Ready)
}
