use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::session::{NewSession, as_traceback};

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pyexecute",
        "Runs a Python script that runs or registers functions.",
        "script [UNBLOCKING] [ID id] [DESCRIPTION text] [UPGRADE] [REPLACE_WITH id] \
         [FORCE_REINSTALL_REQUIREMENTS] [LIMIT name value [LIMIT name value ...]] \
         [REQUIREMENTS requirement [requirement ...]]",
    ),
    args: 1..=usize::MAX,
    run,
};

/// RG.PYEXECUTE script [UNBLOCKING] [ID id] [DESCRIPTION text] [UPGRADE] [REPLACE_WITH id]
/// [FORCE_REINSTALL_REQUIREMENTS] [LIMIT name value …] [REQUIREMENTS …]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    if !call.can_block {
        return Err(
            "Can not run gears inside a multi exec, lua, or when blocking is not allowed".into()
        );
    }
    let (code, options) = call.args.split_first().expect("the arity is at least one");
    let mut new = NewSession { client: Some(call.client), ..NewSession::default() };
    let again = parse(options, &mut new)?;
    new.code = code.to_vec();
    engine.begin_when_prepared(call.doors, new, again)?;
    Ok(Answer::Later)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Install {
    WhatIsMissing,
    Again,
}

fn parse(words: &[&[u8]], new: &mut NewSession) -> Result<Install, Refusal> {
    let mut install = Install::WhatIsMissing;
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let mut value = |name: &str| rest.next().copied().ok_or(format!("{name} is missing"));
        match word.to_ascii_uppercase().as_slice() {
            b"UNBLOCKING" => new.unblocking = true,
            b"UPGRADE" => new.upgrade = true,
            b"FORCE_REINSTALL_REQUIREMENTS" => install = Install::Again,
            b"ID" => new.name = Some(text(value("ID")?)),
            b"DESCRIPTION" => new.description = Some(text(value("DESCRIPTION")?)),
            b"REPLACE_WITH" => new.replace_with = Some(text(value("REPLACE_WITH")?)),
            b"LIMIT" => {
                let (name, value) = (text(value("LIMIT")?), text(value("LIMIT")?));
                new.limits.set(&name, &value)?;
            }
            b"REQUIREMENTS" => {
                for word in rest.by_ref() {
                    let requirement = text(word);
                    check_requirement(&requirement)?;
                    // gearsclient repeats those of its earlier functions.
                    if !new.requirements.contains(&requirement) {
                        new.requirements.push(requirement);
                    }
                }
            }
            _ => return Err(format!("Unknown arguments were given: {}", text(word)).into()),
        }
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if new.name.as_ref().is_some_and(|name| !name.bytes().all(is_plain)) {
        return Err("ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']".into());
    }
    Ok(install)
}

/// What would be an option, or more than one line, is nothing that pip should see.
fn check_requirement(requirement: &str) -> Result<(), Refusal> {
    let is_odd = requirement.trim_start().starts_with('-')
        || requirement.trim().is_empty()
        || requirement.contains(char::is_control);
    if !is_odd {
        return Ok(());
    }
    let why = format!("Could not satisfy requirements: {requirement:?} names no package");
    Err(as_traceback(&why).into())
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};
    use crate::worker::Forbidden;

    #[test]
    fn options_are_checked_in_redisgears_order_and_words() {
        let mut stage = Stage::with_trigger();
        for (options, error) in [
            ("ID", "ID is missing"),
            ("DESCRIPTION", "DESCRIPTION is missing"),
            ("ID a REPLACE_WITH", "REPLACE_WITH is missing"),
            ("foo", "Unknown arguments were given: foo"),
            ("ID a!b", "ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']"),
            ("ID a REPLACE_WITH b", "Can not replace with b, session does not exists."),
        ] {
            let reply = stage.command(&format!("RG.PYEXECUTE code {options}"));
            assert_eq!(reply, format!("-{error}|"));
        }
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn nothing_runs_where_nothing_may_block() {
        let mut stage = Stage::new();
        assert_eq!(
            stage.command_of(CLIENT, "RG.PYEXECUTE code", false),
            "-Can not run gears inside a multi exec, lua, or when blocking is not allowed|"
        );
    }

    #[test]
    fn what_is_an_option_of_pip_is_no_requirement() {
        let mut stage = Stage::new();
        for odd in ["-rfile", "--index-url=http://x", ""] {
            let refused = stage.command(&format!("RG.PYEXECUTE code REQUIREMENTS numpy {odd}"));
            assert!(refused.starts_with("-['Could not satisfy requirements"), "{refused}");
        }
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn what_follows_requirements_is_one() {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYEXECUTE code requirements"), "…");
        stage.command("RG.PYEXECUTE code REQUIREMENTS numpy ID a numpy");
        assert_eq!(stage.workers.needs[1].requirements, ["numpy", "ID", "a"]);
    }

    #[test]
    fn a_session_takes_the_place_of_one_with_another_name() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID old");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        assert_eq!(
            stage.command("RG.PYEXECUTE code ID old REPLACE_WITH old"),
            "-Can not replace an existing session old with old|"
        );
        assert_eq!(stage.command("RG.PYEXECUTE code ID new REPLACE_WITH old"), "…");
        let worker = crate::worker::WorkerId(1);
        stage.register(worker, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(worker);
        assert_eq!(stage.replies(), ["+OK|", "+OK|"]);
        let sessions = stage.command("RG.PYDUMPSESSIONS");
        assert!(sessions.starts_with("*1|*16|$2|ID|$3|new|"), "{sessions}");
    }

    #[test]
    fn a_session_gets_the_limits_of_the_configuration() {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-memory-bytes 1000");
        stage.command("RG.PYEXECUTE code ID a");
        stage.command("RG.CONFIGSET function-memory-bytes 0");
        stage.command("RG.PYEXECUTE code");
        let specs = &stage.workers.specs;
        assert_eq!((specs[0].memory_bytes_max, specs[0].threads), (Some(1000), 3));
        assert_eq!(specs[0].name, "a");
        assert_eq!((specs[1].memory_bytes_max, specs[1].name.len()), (None, 40));
    }

    #[test]
    fn a_script_may_ask_for_limits_of_its_own_and_keeps_them_after_a_crash() {
        let mut stage = Stage::new();
        stage.command(
            "RG.PYEXECUTE code LIMIT function-memory-bytes 5 limit function-network no ID a",
        );
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        stage.crash(WORKER);
        for spec in &stage.workers.specs {
            assert_eq!(spec.memory_bytes_max, Some(5));
            assert_eq!(spec.forbidden, [Forbidden::Network]);
            assert_eq!(spec.files_max, Some(256));
        }
        assert_eq!(stage.workers.specs.len(), 2);
        stage.command("RG.PYEXECUTE code");
        assert_eq!(stage.workers.specs[2].forbidden, []);
    }

    #[test]
    fn limits_that_are_none_are_refused() {
        let mut stage = Stage::new();
        for (options, error) in [
            ("LIMIT", "LIMIT is missing"),
            ("LIMIT function-cpu-ms", "LIMIT is missing"),
            ("LIMIT function-queue-max 1", "LIMIT function-queue-max is unknown"),
            ("LIMIT function-cpu-ms soon", "LIMIT function-cpu-ms can not be \"soon\""),
        ] {
            let reply = stage.command(&format!("RG.PYEXECUTE code {options}"));
            assert_eq!(reply, format!("-{error}|"));
        }
    }

    #[test]
    fn what_the_system_cannot_enforce_is_refused_with_the_reason() {
        let mut stage = Stage::new();
        stage.workers.cannot_forbid = Some("a newer kernel");
        assert_eq!(
            stage.command("RG.PYEXECUTE code LIMIT function-filesystem ro"),
            "-['script was not run: function-filesystem ro needs a newer kernel\\n']|"
        );
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn the_replies_of_the_three_readers_are_those_of_redisgears() {
        let count = [StepKind::Count, StepKind::ToText, StepKind::Collect];
        for (keys, reply) in [(3, "*2|*1|$1|3|*0|"), (0, "*2|*0|*0|")] {
            let mut stage = Stage::with_keys(keys);
            stage.command("RG.PYEXECUTE GB().count().run()");
            stage.run(WORKER, 0, plan("KeysReader", &count));
            stage.script_done(WORKER);
            stage.work();
            assert_eq!(stage.reply(), reply);
        }
        let mut stage = Stage::running(plan("KeysReader", &[StepKind::Map]), " UNBLOCKING");
        assert_eq!(stage.reply(), format!("$42|{}|", id(0)));
    }
}
