use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::requirements::NO_REQUIREMENT;

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pyexportreq",
        "Gives an installed requirement as bytes that another server can import.",
        "requirement",
    ),
    args: 1..=1,
    run,
};

/// RG.PYEXPORTREQ requirement
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    if !call.can_block {
        return Err("Can not export a requirement where blocking is not allowed".into());
    }
    let name = String::from_utf8_lossy(call.args[0]);
    if !engine.export(call.doors, call.client, &name) {
        return Err(NO_REQUIREMENT.into());
    }
    Ok(Answer::Later)
}

#[cfg(test)]
mod tests {
    use crate::testing::{CLIENT, Stage};
    use crate::worker::{FromWorker, Installed, WorkerId};

    const EXPORTER: WorkerId = WorkerId(2000);

    fn exporting() -> Stage {
        let mut stage = Stage::new();
        let numpy = Installed {
            requirement: "numpy".into(),
            path: "/d/1".into(),
            wheels: vec!["numpy-2.whl".into()],
        };
        stage.engine.requirements.installed.insert("numpy".into(), numpy);
        assert_eq!(stage.command("RG.PYEXPORTREQ numpy"), "…");
        assert_eq!(stage.sent(), ["export numpy from /d/1"]);
        stage
    }

    #[test]
    fn a_requirement_is_told_as_in_the_list_and_given_in_chunks_of_ten_megabytes() {
        let mut stage = exporting();
        let bytes = vec![b'x'; (10 << 20) + 3];
        stage.from(EXPORTER, FromWorker::Exported(Ok(bytes)));
        let reply = stage.reply();
        assert!(reply.starts_with("*2|*12|$14|GearReqVersion|:1|$4|Name|$5|numpy|"), "…");
        assert!(reply.contains("$6|Wheels|*1|$11|numpy-2.whl|*2|$10485760|xxx"), "…");
        assert!(reply.ends_with("x|$3|xxx|"), "…");
    }

    #[test]
    fn what_is_not_installed_or_not_to_be_read_is_an_error() {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYEXPORTREQ numpy"), "-requirement does not exists|");

        let mut stage = exporting();
        stage.from(EXPORTER, FromWorker::Exported(Err(vec!["its wheels are gone".into()])));
        assert_eq!(stage.reply(), "-could not export the requirement: its wheels are gone|");
    }

    #[test]
    fn nobody_waits_where_nobody_may() {
        let mut stage = Stage::new();
        assert_eq!(
            stage.command_of(CLIENT, "RG.PYEXPORTREQ numpy", false),
            "-Can not export a requirement where blocking is not allowed|"
        );
    }
}
