use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.refreshcluster", "Reads the cluster's topology again.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.REFRESHCLUSTER: one shard has nothing to read.
fn run(_: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.ok();
    Ok(Answer::Ready)
}
