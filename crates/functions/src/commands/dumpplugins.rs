use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.dumpplugins", "Lists the languages that functions are written in.", ""),
    args: 0..=usize::MAX,
    run,
};

/// The version of RedisGears whose behaviour this is: major * 10000 + minor * 100 + patch.
const VERSION: i64 = 10_213;

/// RG.DUMPPLUGINS
fn run(_: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(1);
    call.reply.array(2);
    call.reply.text("GearsPythonPlugin");
    call.reply.integer(VERSION);
    Ok(Answer::Ready)
}
