use super::{Call, Command, NO_EXECUTION, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::execution::{Waiting, write_results};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.getresultsblocking", "Waits for an execution's results and errors.", "id"),
    args: 1..=1,
    run,
};

/// RG.GETRESULTSBLOCKING id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (id, execution) = engine.find_execution(call.args[0], NO_EXECUTION)?;
    if execution.status.is_over() {
        write_results(execution, &mut call.reply);
        return Ok(Answer::Ready);
    }
    if !call.can_block {
        return Err("ERR can not wait for results: blocking is not allowed".into());
    }

    engine.execution(id).waiting.push(Waiting::ForResults(call.client));
    Ok(Answer::Later)
}
