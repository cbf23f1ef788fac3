use resp::ReplyWriter;

use super::{Call, Command, Refusal, spec};
use crate::config::ReplyCompat;
use crate::engine::{Answer, Engine};
use crate::worker::Installed;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.pydumpreqs", "Lists the packages that scripts had installed.", ""),
    args: 0..=usize::MAX,
    run,
};

/// The system that wheels are made for.
const COMPILED_OS: &str = if cfg!(target_arch = "aarch64") { "linux-arm64" } else { "linux-x64" };

/// RG.PYDUMPREQS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(engine.requirements.installed.len());
    for installed in engine.requirements.installed.values() {
        write_requirement(engine, installed, &mut call.reply);
    }
    Ok(Answer::Ready)
}

pub(super) fn write_requirement(engine: &Engine, installed: &Installed, reply: &mut ReplyWriter) {
    let is_late = engine.config.reply_compat() >= ReplyCompat::V1_2_13;
    reply.array(if is_late { 18 } else { 12 });
    reply.text("GearReqVersion");
    reply.integer(if is_late { 2 } else { 1 });
    reply.text("Name");
    reply.text(&installed.requirement);
    // Only what is there is listed.
    reply.text("IsDownloaded");
    reply.text("yes");
    reply.text("IsInstalled");
    reply.text("yes");
    reply.text("CompiledOs");
    reply.text(COMPILED_OS);
    reply.text("Wheels");
    reply.array(installed.wheels.len());
    installed.wheels.iter().for_each(|wheel| reply.text(wheel));
    if is_late {
        let sessions = engine.sessions.by_number.values();
        let users = sessions.filter(|user| user.requirements.contains(&installed.requirement));
        reply.text("Path");
        reply.text(&installed.path);
        reply.text("RefCount");
        reply.integer(1 + users.count() as i64);
        reply.text("IsInReqDictionary");
        reply.text("yes");
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;
    use crate::worker::Installed;

    #[test]
    fn requirements_are_listed_in_both_layouts() {
        let mut stage = Stage::new();
        let installed = Installed {
            requirement: "numpy".into(),
            path: "/d/1".into(),
            wheels: vec!["numpy-2.whl".into()],
        };
        stage.engine.requirements.installed.insert("numpy".into(), installed);
        let dump = stage.command("RG.PYDUMPREQS");
        assert!(
            dump.starts_with(
                "*1|*12|$14|GearReqVersion|:1|$4|Name|$5|numpy|$12|IsDownloaded|$3|yes|"
            ),
            "{dump}"
        );
        assert!(dump.ends_with("$6|Wheels|*1|$11|numpy-2.whl|"), "{dump}");
        stage.command("RG.CONFIGSET ReplyCompat 1.2.13");
        let dump = stage.command("RG.PYDUMPREQS");
        assert!(dump.starts_with("*1|*18|$14|GearReqVersion|:2|"), "{dump}");
        assert!(
            dump.ends_with("$4|Path|$4|/d/1|$8|RefCount|:1|$17|IsInReqDictionary|$3|yes|"),
            "{dump}"
        );
    }
}
