use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::worker::Profiling;

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pyprofile",
        "Returns or forgets what a session's callbacks took while ProfileExecutions was 1.",
        "<STATS session [order] | RESET session>",
    ),
    args: 2..=3,
    run,
};

/// RG.PYPROFILE STATS session [order]
/// RG.PYPROFILE RESET session
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let name = String::from_utf8_lossy(call.args[1]);
    let order = call.args.get(2).map(|order| String::from_utf8_lossy(order));
    let is_report = call.args[0].eq_ignore_ascii_case(b"STATS");
    if !is_report && (!call.args[0].eq_ignore_ascii_case(b"RESET") || order.is_some()) {
        return Err("Wrong subcommand given to RG.PYPROFILE".into());
    }
    let number = *engine.sessions.by_name.get(&*name).ok_or("session does not exists")?;

    if !is_report {
        if let Some(worker) = engine.sessions.by_number[&number].worker() {
            call.doors.workers.profile(worker, Profiling::Reset);
        }
        call.reply.ok();
        return Ok(Answer::Ready);
    }
    if !call.can_block {
        return Err("ERR can not wait for a profile: blocking is not allowed".into());
    }
    if engine.ask_for_profile(call.doors, number, call.client, order.as_deref()) {
        Ok(Answer::Later)
    } else {
        Err("ERR the session's worker ended, and its profile with it".into())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{CLIENT, Stage};

    #[test]
    fn sessions_and_subcommands_that_are_not_there_are_told() {
        let mut stage = Stage::with_trigger();
        assert_eq!(stage.command("RG.PYPROFILE STATS x"), "-session does not exists|");
        assert_eq!(stage.command("RG.PYPROFILE RESET x"), "-session does not exists|");
        for line in ["RG.PYPROFILE FOO x", "RG.PYPROFILE RESET x calls"] {
            assert_eq!(stage.command(line), "-Wrong subcommand given to RG.PYPROFILE|");
        }
    }

    #[test]
    fn a_reset_is_passed_on_and_a_report_needs_a_client_that_can_wait() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a");
        stage.sent();
        assert_eq!(stage.command("rg.pyprofile reset a"), "+OK|");
        assert_eq!(stage.sent(), ["profile w0 Reset"]);
        let refused = stage.command_of(CLIENT, "RG.PYPROFILE STATS a", false);
        assert_eq!(refused, "-ERR can not wait for a profile: blocking is not allowed|");
    }
}
