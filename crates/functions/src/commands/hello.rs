use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.hello", "Returns the run id of this process.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.HELLO
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let id = engine.run_id.get_or_insert_with(|| random_name(call.doors.host));
    call.reply.text(id);
    Ok(Answer::Ready)
}

/// Forty hexadecimal digits.
pub(crate) fn random_name(host: &mut dyn crate::host::Host) -> String {
    let mut bytes = [0; 20];
    host.random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;

    #[test]
    fn the_run_id_is_random_and_stays() {
        let mut stage = Stage::new();
        let hello = stage.command("RG.HELLO");
        assert_eq!(hello, format!("$40|{}|", "01".repeat(20)));
        assert_eq!(stage.command("RG.HELLO"), hello);
    }
}
