use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pyimportreq",
        "Installs a requirement that another server exported.",
        "chunk [chunk ...]",
    ),
    args: 1..=usize::MAX,
    run,
};

/// RG.PYIMPORTREQ chunk [chunk ...]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    if !call.can_block {
        return Err("Can not import a requirement where blocking is not allowed".into());
    }
    engine.import(call.doors, call.client, call.args);
    Ok(Answer::Later)
}

#[cfg(test)]
mod tests {
    use crate::testing::{CLIENT, Stage};
    use crate::worker::{FromWorker, Installed, Prepared, WorkerId};

    const IMPORTER: WorkerId = WorkerId(3000);

    #[test]
    fn a_requirement_comes_in_any_number_of_chunks_and_is_listed_then() {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYIMPORTREQ abc d e"), "…");
        assert_eq!(stage.sent(), ["import abcde"]);
        let numpy = Installed {
            requirement: "numpy".into(),
            path: "/d/1".into(),
            wheels: vec!["numpy-2.whl".into()],
        };
        let prepared = Prepared { interpreter: 0, installed: vec![numpy] };
        stage.from(IMPORTER, FromWorker::Prepared(Ok(prepared)));
        assert_eq!(stage.reply(), "$2|OK|");
        assert!(stage.command("RG.PYDUMPREQS").contains("$4|Name|$5|numpy|"));
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let mut stage = Stage::new();
        stage.command("RG.PYIMPORTREQ abc");
        let why = vec!["it is truncated".to_owned()];
        stage.from(IMPORTER, FromWorker::Prepared(Err(why)));
        assert_eq!(stage.reply(), "-could not import the requirement: it is truncated|");
        assert_eq!(stage.command("RG.PYDUMPREQS"), "*0|");
    }

    #[test]
    fn a_client_that_is_gone_is_told_nothing() {
        let mut stage = Stage::new();
        stage.command("RG.PYIMPORTREQ abc");
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        stage.from(IMPORTER, FromWorker::Prepared(Ok(Prepared::default())));
        assert_eq!(stage.replies(), [""; 0]);
        assert_eq!(
            stage.command_of(CLIENT, "RG.PYIMPORTREQ abc", false),
            "-Can not import a requirement where blocking is not allowed|"
        );
    }
}
