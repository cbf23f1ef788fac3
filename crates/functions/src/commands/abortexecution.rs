use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::execution::{Origin, Status, Stop, Waiting};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.abortexecution", "Stops an execution, by force if it must be.", "id"),
    args: 1..=1,
    run,
};

/// RG.ABORTEXECUTION id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (id, execution) = engine.find_execution(call.args[0], "execution does not exist")?;
    let (status, origin) = (execution.status, execution.origin);
    let waits_in_worker = execution.shown_status() != status;
    if status == Status::Running && !waits_in_worker && !call.can_block {
        return Err("ERR can not wait for an execution to stop: blocking is not allowed".into());
    }
    engine.identifiers.count_management();

    match status {
        Status::Done | Status::Aborted => {}
        Status::Created => {
            if let Origin::Registration(number) = origin
                && let Some(registration) = engine.registrations.by_number.get_mut(&number)
            {
                let waiting = registration.pending.len();
                registration.pending.retain(|pending| *pending != id);
                engine.queued -= waiting - registration.pending.len();
            }
            engine.finish(call.doors, id, Status::Aborted);
        }
        Status::Running if waits_in_worker => engine.abort_waiting_in_worker(call.doors, id),
        Status::Running => {
            engine.stop(call.doors, id, Stop::Asked);
            if let Some(execution) = engine.executions.get_mut(&id)
                && execution.status == Status::Running
            {
                execution.waiting.push(Waiting::ForEnd(call.client));
                return Ok(Answer::Later);
            }
        }
    }
    call.reply.ok();
    Ok(Answer::Ready)
}
