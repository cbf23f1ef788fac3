use super::{Call, Command, Refusal, spec};
use crate::config::Shown;
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.configget", "Returns the values of options.", "name [name ...]"),
    args: 1..=usize::MAX,
    run,
};

/// RG.CONFIGGET name [name ...]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(call.args.len());
    for name in call.args {
        let name = String::from_utf8_lossy(name);
        match engine.config.get(&name) {
            Some(Shown::Number(number)) => call.reply.integer(number),
            Some(Shown::Text(text)) => call.reply.text(text),
            Some(Shown::Plugins) => call.reply.array(0),
            None => {
                let error = format!("(error) Unsupported config parameter: {name}");
                call.reply.error(error.as_bytes());
            }
        }
    }
    Ok(Answer::Ready)
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;

    #[test]
    fn options_are_told_one_by_one_and_unknown_ones_are_errors_among_them() {
        let mut stage = Stage::new();
        assert_eq!(
            stage.command("RG.CONFIGGET MaxExecutions Nope ReplyCompat Plugin"),
            "*4|:1000|-(error) Unsupported config parameter: Nope|$5|1.2.1|*0|"
        );
    }

    #[test]
    fn every_option_that_redgrease_asks_for_is_there() {
        let mut stage = Stage::new();
        let reply = stage.command(
            "RG.CONFIGGET MaxExecutions MaxExecutionsPerRegistration ProfileExecutions \
             PythonAttemptTraceback DownloadDeps DependenciesUrl DependenciesSha256 \
             PythonInstallationDir CreateVenv ExecutionThreads ExecutionMaxIdleTime \
             PythonInstallReqMaxIdleTime SendMsgRetries",
        );
        assert!(reply.starts_with("*13|") && !reply.contains("Unsupported"), "{reply}");
    }
}
