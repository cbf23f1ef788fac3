use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::execution::{Status, Stop, Waiting};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.abortexecution", "Stops an execution, by force if it must be.", "id"),
    args: 1..=1,
    run,
};

/// RG.ABORTEXECUTION id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (id, execution) = engine.find_execution(call.args[0], "execution does not exist")?;
    let status = execution.status;
    let waits_in_worker = execution.shown_status() != status;
    if status == Status::Running && !waits_in_worker && !call.can_block {
        return Err("ERR can not wait for an execution to stop: blocking is not allowed".into());
    }
    engine.identifiers.count_management();

    engine.stop_or_drop(call.doors, id, Stop::Asked);
    if let Some(execution) = engine.executions.get_mut(&id)
        && execution.status == Status::Running
    {
        execution.waiting.push(Waiting::ForEnd(call.client));
        return Ok(Answer::Later);
    }
    call.reply.ok();
    Ok(Answer::Ready)
}
