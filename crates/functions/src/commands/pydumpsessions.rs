use super::dumpregistrations::{Detail, write_registration};
use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Engine};
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
    reply.array(16);
    reply.text("ID");
    reply.text(&session.name);
    reply.text("sessionDescription");
    match &session.description {
        Some(description) => reply.text(description),
        None => reply.null(),
    }
    reply.text("refCount");
    reply.integer((registrations.len() + session.unfinished) as i64);
    reply.text("linked");
    reply.text(if linked { "primary" } else { "None" });
    reply.text("dead");
    reply.text(if linked { "false" } else { "true" });
    reply.text("requirementInstallationNeeded");
    reply.integer(0);
    reply.text("requirements");
    reply.array(0);
    reply.text("registrations");
    reply.array(registrations.len());
    for (number, registration) in registrations {
        if verbose {
            write_registration(engine, number, registration, Detail::WithoutSession, reply);
        } else {
            reply.text(&engine.identifiers.text(number.0));
        }
    }
}
