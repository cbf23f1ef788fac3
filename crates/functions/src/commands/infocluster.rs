use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.infocluster", "Describes the cluster, or says that there is none.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.INFOCLUSTER
fn run(_: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.text("no cluster mode");
    Ok(Answer::Ready)
}
