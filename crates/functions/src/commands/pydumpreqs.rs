use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.pydumpreqs", "Lists the packages that scripts had installed.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.PYDUMPREQS: scripts cannot have packages installed, so there are none.
fn run(_: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(0);
    Ok(Answer::Ready)
}
