use super::{Call, Command, NO_EXECUTION, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::execution::write_results;

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.getresults",
        "Returns the results and errors of an execution that is over.",
        "id",
    ),
    args: 1..=usize::MAX,
    run,
};

/// RG.GETRESULTS id
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (_, execution) = engine.find_execution(call.args[0], NO_EXECUTION)?;
    if !execution.status.is_over() {
        return Err("execution is still running".into());
    }

    write_results(execution, &mut call.reply);
    Ok(Answer::Ready)
}
