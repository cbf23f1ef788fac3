use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.configset", "Sets options.", "name value [name value ...]"),
    args: 1..=usize::MAX,
    run,
};

/// RG.CONFIGSET name value [name value ...]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(call.args.len().div_ceil(2));
    for pair in call.args.chunks(2) {
        let name = String::from_utf8_lossy(pair[0]);
        let outcome = match pair.get(1) {
            Some(value) => engine.config.set(&name, &String::from_utf8_lossy(value)),
            None => Err(format!("(error) Value was not given to {name}")),
        };
        match outcome {
            Ok(status) => call.reply.simple(status),
            Err(error) => call.reply.error(error.as_bytes()),
        }
    }
    // What runs already may have a limit from now on.
    engine.watch_limits(call.doors);
    engine.tell_profiling(call.doors);
    Ok(Answer::Ready)
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;

    #[test]
    fn each_pair_has_its_own_answer() {
        let mut stage = Stage::new();
        assert_eq!(
            stage.command("RG.CONFIGSET ExecutionThreads 5 foo 1 MaxExecutions 2 x"),
            "*4|-(error) Config value ExecutionThreads not modifiable at runtime|\
             +OK - value was saved in extra config dictionary|+OK|\
             -(error) Value was not given to x|"
        );
        assert_eq!(stage.command("RG.CONFIGGET foo"), "*1|$1|1|");
    }
}
