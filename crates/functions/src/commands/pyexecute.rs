use super::hello::random_name;
use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::session::NewSession;

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pyexecute",
        "Runs a Python script that runs or registers functions.",
        "script [UNBLOCKING] [ID id] [DESCRIPTION text] [UPGRADE] [REPLACE_WITH id] \
         [FORCE_REINSTALL_REQUIREMENTS] [REQUIREMENTS requirement [requirement ...]]",
    ),
    args: 1..=usize::MAX,
    run,
};

#[derive(Default)]
struct Options<'a> {
    unblocking: bool,
    upgrade: bool,
    id: Option<&'a [u8]>,
    description: Option<&'a [u8]>,
    replace_with: Option<&'a [u8]>,
    requirements: &'a [&'a [u8]],
}

/// RG.PYEXECUTE script [UNBLOCKING] [ID id] [DESCRIPTION text] [UPGRADE] [REPLACE_WITH id] [REQUIREMENTS …]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    if !call.can_block {
        return Err(
            "Can not run gears inside a multi exec, lua, or when blocking is not allowed".into()
        );
    }
    let (code, options) = call.args.split_first().expect("the arity is at least one");
    let options = parse(options)?;
    let name = options.id.map(|id| String::from_utf8_lossy(id).into_owned());
    let existing = name.as_ref().and_then(|name| engine.sessions.by_name.get(name)).copied();

    let replaces = match options.replace_with {
        Some(old) => {
            let old = String::from_utf8_lossy(old);
            if existing.is_some() {
                let name = name.as_deref().unwrap_or_default();
                return Err(format!("Can not replace an existing session {name} with {old}").into());
            }
            let found = engine.sessions.by_name.get(&*old).copied();
            Some(
                found.ok_or_else(|| {
                    format!("Can not replace with {old}, session does not exists.")
                })?,
            )
        }
        None => existing,
    };
    if existing.is_some() && !options.upgrade {
        let name = name.unwrap_or_default();
        return Err(format!("Session {name} already exists").into());
    }
    let still_runs = |number| engine.sessions.by_number[number].script.is_some();
    if replaces.as_ref().is_some_and(still_runs) {
        return Err("Can not replace a session whose script is still running".into());
    }
    if !options.requirements.is_empty() {
        return Err("Could not satisfy requirements: this server installs no packages yet; \
                    install them for its interpreter and leave REQUIREMENTS out"
            .into());
    }

    let new = NewSession {
        name: name.unwrap_or_else(|| random_name(call.doors.host)),
        description: options.description.map(|text| String::from_utf8_lossy(text).into_owned()),
        replaces,
        client: call.client,
        unblocking: options.unblocking,
        code,
    };
    engine.begin_session(call.doors, new);
    Ok(Answer::Later)
}

fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Options<'a>, Refusal> {
    let mut options = Options::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let mut value = |name: &str| rest.next().copied().ok_or(format!("{name} is missing"));
        match word.to_ascii_uppercase().as_slice() {
            b"UNBLOCKING" => options.unblocking = true,
            b"UPGRADE" => options.upgrade = true,
            // Nothing is installed, so nothing is installed again.
            b"FORCE_REINSTALL_REQUIREMENTS" => {}
            b"ID" => options.id = Some(value("ID")?),
            b"DESCRIPTION" => options.description = Some(value("DESCRIPTION")?),
            b"REPLACE_WITH" => options.replace_with = Some(value("REPLACE_WITH")?),
            b"REQUIREMENTS" => {
                options.requirements = rest.as_slice();
                break;
            }
            _ => {
                let word = String::from_utf8_lossy(word);
                return Err(format!("Unknown arguments were given: {word}").into());
            }
        }
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if options.id.is_some_and(|id| !id.iter().all(is_plain)) {
        return Err("ID must be compose of: ['A'-'Z' | 'a'-'z' | '0' - '9' | '-' | '_']".into());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};

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
    fn requirements_are_refused_until_they_can_be_installed() {
        let mut stage = Stage::new();
        let refused = stage.command("RG.PYEXECUTE code REQUIREMENTS numpy ID a");
        assert!(refused.starts_with("-Could not satisfy requirements"), "{refused}");
        assert_eq!(stage.command("RG.PYEXECUTE code requirements"), "…");
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
