use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.dumpexecutions", "Lists the executions that run, wait or are kept.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.DUMPEXECUTIONS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(engine.executions.len());
    for (id, execution) in &engine.executions {
        call.reply.array(6);
        call.reply.text("executionId");
        call.reply.text(&engine.identifiers.text(id.0));
        call.reply.text("status");
        call.reply.text(execution.shown_status().name());
        call.reply.text("registered");
        call.reply.integer(i64::from(execution.is_registered()));
    }
    Ok(Answer::Ready)
}
