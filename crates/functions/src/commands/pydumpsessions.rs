use super::dumpregistrations::{Detail, write_registration};
use super::metrics::write_figures;
use super::pydumpreqs::write_requirement;
use super::{Call, Command, Refusal, spec};
use crate::config::ReplyCompat;
use crate::engine::{Answer, Engine};
use crate::metrics::of_session;
use crate::session::{Session, SessionNumber};

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.pydumpsessions",
        "Lists sessions: scripts whose functions are still needed.",
        "[VERBOSE] [DEAD] [SESSIONS name [name ...]]",
    ),
    args: 0..=usize::MAX,
    run,
};

/// RG.PYDUMPSESSIONS [VERBOSE] [DEAD] [SESSIONS name [name ...]]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (mut verbose, mut dead, mut named) = (false, false, None);
    let mut rest = call.args;
    while let Some((word, tail)) = rest.split_first() {
        rest = tail;
        if word.eq_ignore_ascii_case(b"VERBOSE") {
            verbose = true;
        } else if word.eq_ignore_ascii_case(b"DEAD") {
            dead = true;
        } else if word.eq_ignore_ascii_case(b"SESSIONS") {
            named = Some(std::mem::take(&mut rest));
        } else {
            return Err(format!("Unknown option {}", String::from_utf8_lossy(word)).into());
        }
    }

    if let Some(names) = named {
        call.reply.array(names.len());
        for name in names {
            let name = String::from_utf8_lossy(name);
            match engine.sessions.by_name.get(&*name) {
                Some(number) => write_session(engine, call, *number, verbose),
                None => call.reply.text(&format!("Session {name} does not exists")),
            }
        }
    } else if dead {
        let is_dead = |(number, session): &(&SessionNumber, &Session)| {
            session.script.is_none() && !is_linked(engine, **number, session)
        };
        let dead = engine.sessions.by_number.iter().filter(is_dead);
        let dead: Vec<SessionNumber> = dead.map(|(number, _)| *number).collect();
        call.reply.array(dead.len());
        dead.into_iter().for_each(|number| write_session(engine, call, number, verbose));
    } else {
        call.reply.array(engine.sessions.by_name.len());
        engine
            .sessions
            .by_name
            .values()
            .for_each(|number| write_session(engine, call, *number, verbose));
    }
    Ok(Answer::Ready)
}

fn is_linked(engine: &Engine, number: SessionNumber, session: &Session) -> bool {
    engine.sessions.by_name.get(&session.name) == Some(&number)
}

fn write_session(engine: &Engine, call: &mut Call, number: SessionNumber, verbose: bool) {
    let reply = &mut call.reply;
    let session = &engine.sessions.by_number[&number];
    let linked = is_linked(engine, number, session);
    let registrations: Vec<_> =
        engine.registrations.listed().filter(|(_, found)| found.session == number).collect();
    let is_ours = engine.config.reply_compat() == ReplyCompat::Mainspring;
    let figures = if is_ours { &of_session(session, call.doors)[..] } else { &[] };
    reply.array(16 + 2 * figures.len());
    reply.text("ID");
    reply.text(&session.name);
    reply.text("sessionDescription");
    reply.text_or_null(session.description.as_deref());
    reply.text("refCount");
    reply.integer((registrations.len() + session.unfinished) as i64);
    reply.text("linked");
    reply.text(if linked { "primary" } else { "None" });
    reply.text("dead");
    reply.text(if linked { "false" } else { "true" });
    reply.text("requirementInstallationNeeded");
    reply.integer(0);
    reply.text("requirements");
    reply.array(session.requirements.len());
    for requirement in &session.requirements {
        match engine.requirements.installed.get(requirement).filter(|_| verbose) {
            Some(installed) => write_requirement(engine, installed, reply),
            None => reply.text(requirement),
        }
    }
    reply.text("registrations");
    reply.array(registrations.len());
    for (number, registration) in registrations {
        if verbose {
            write_registration(engine, number, registration, Detail::WithoutSession, reply);
        } else {
            reply.text(&engine.identifiers.text(number.0));
        }
    }
    write_figures(figures, reply);
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{Stage, WORKER, id, plan, text};

    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a DESCRIPTION words");
        let kwargs = [("trigger", text("t"))];
        stage.register(WORKER, 0, plan("CommandReader", &[StepKind::Map]), &kwargs);
        stage.script_done(WORKER);
        stage
    }

    #[test]
    fn sessions_are_listed_with_their_registrations() {
        let expected = format!(
            "*1|*16|$2|ID|$1|a|$18|sessionDescription|$5|words|$8|refCount|:1|\
             $6|linked|$7|primary|$4|dead|$5|false|$29|requirementInstallationNeeded|:0|\
             $12|requirements|*0|$13|registrations|*1|$42|{}|",
            id(1)
        );
        let mut stage = stage();
        assert_eq!(stage.command("RG.PYDUMPSESSIONS"), expected);
        assert_eq!(stage.command("RG.PYDUMPSESSIONS SESSIONS a"), expected);
        assert_eq!(stage.command("RG.PYDUMPSESSIONS DEAD"), "*0|");
    }

    #[test]
    fn our_own_layout_ends_with_the_figures_of_the_process() {
        let mut stage = stage();
        stage.command("RG.CONFIGSET ReplyCompat mainspring");
        let dump = stage.command("RG.PYDUMPSESSIONS");
        assert!(dump.starts_with("*1|*26|$2|ID|$1|a|"), "{dump}");
        let end = "$3|pid|:1|$6|cpu_us|:0|$9|rss_bytes|:1000|$8|restarts|:0|$10|executions|:0|";
        assert!(dump.ends_with(end), "{dump}");
    }

    #[test]
    fn verbose_shows_registrations_in_whole() {
        let dump = stage().command("RG.PYDUMPSESSIONS VERBOSE");
        assert!(dump.contains("$13|registrations|*1|*10|$2|id|"), "{dump}");
    }

    #[test]
    fn a_replaced_session_is_dead_while_something_of_it_still_runs() {
        let mut stage = stage();
        stage.command("RG.TRIGGER t");
        stage.command("RG.PYEXECUTE code ID a UPGRADE");
        stage.script_done(crate::worker::WorkerId(1));
        let dead = stage.command("RG.PYDUMPSESSIONS DEAD");
        assert!(dead.starts_with("*1|*16|$2|ID|$1|a|"), "{dead}");
        assert!(dead.contains("$4|dead|$4|true|"), "{dead}");
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.command("RG.PYDUMPSESSIONS DEAD"), "*0|");
    }

    #[test]
    fn names_and_words_that_mean_nothing_are_said_so() {
        let mut stage = stage();
        assert_eq!(
            stage.command("RG.PYDUMPSESSIONS SESSIONS x"),
            "*1|$25|Session x does not exists|"
        );
        assert_eq!(stage.command("RG.PYDUMPSESSIONS foo"), "-Unknown option foo|");
    }
}
