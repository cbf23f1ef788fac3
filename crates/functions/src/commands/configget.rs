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
