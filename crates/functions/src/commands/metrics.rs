use resp::ReplyWriter;

use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Doors, Engine};
use crate::identifier::RegistrationNumber;
use crate::metrics::{Figure, of_registration, of_runs, of_session, state_of};
use crate::registrations::Registration;
use crate::session::{Session, SessionNumber};

pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.metrics",
        "Returns the figures of registrations and sessions.",
        "[registration id|session name]",
    ),
    args: 0..=1,
    run,
};

/// RG.METRICS [registration id|session name]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let Some(wanted) = call.args.first() else {
        write_all(engine, call);
        return Ok(Answer::Ready);
    };
    if let Some(number) = engine.find_registration(wanted) {
        let registration = &engine.registrations.by_number[&number];
        write_registration(engine, number, registration, &mut call.reply);
        return Ok(Answer::Ready);
    }
    let name = String::from_utf8_lossy(wanted);
    let found = engine.sessions.by_name.get(&*name);
    let number = found.ok_or_else(|| format!("ERR no registration and no session is '{name}'"))?;
    let session = &engine.sessions.by_number[number];
    write_session(engine, *number, session, Detail::Whole, call.doors, &mut call.reply);
    Ok(Answer::Ready)
}

fn write_all(engine: &Engine, call: &mut Call) {
    let runs = of_runs(&engine.runs);
    call.reply.map(3);
    call.reply.text("runs");
    call.reply.map(runs.len() + 1);
    write_figures(&runs, &mut call.reply);
    call.reply.text("last_error");
    call.reply.text_or_null(engine.runs.last_error.as_deref());
    call.reply.text("registrations");
    call.reply.array(engine.registrations.listed().count());
    for (number, registration) in engine.registrations.listed() {
        write_registration(engine, number, registration, &mut call.reply);
    }
    call.reply.text("sessions");
    call.reply.array(engine.sessions.by_number.len());
    for (number, session) in &engine.sessions.by_number {
        write_session(engine, *number, session, Detail::Quick, call.doors, &mut call.reply);
    }
}

fn write_registration(
    engine: &Engine,
    number: RegistrationNumber,
    registration: &Registration,
    reply: &mut ReplyWriter,
) {
    let figures = of_registration(registration);
    reply.map(figures.len() + 6);
    reply.text("id");
    reply.text(&engine.identifiers.text(number.0));
    reply.text("reader");
    reply.text(registration.reader().name());
    reply.text("desc");
    reply.text_or_null(registration.plan.description.as_deref());
    reply.text("session");
    reply.text(&engine.sessions.by_number[&registration.session].name);
    write_figures(&figures, reply);
    reply.text("last_error");
    reply.text_or_null(registration.statistics.last_error.as_deref());
    reply.text("doubts");
    reply.array(registration.doubts.len());
    registration.doubts.iter().for_each(|doubt| reply.text(doubt));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What is quick to find out: there may be many sessions, and everybody else waits meanwhile.
    Quick,
    Whole,
}

fn write_session(
    engine: &Engine,
    number: SessionNumber,
    session: &Session,
    detail: Detail,
    doors: &Doors,
    reply: &mut ReplyWriter,
) {
    let figures = of_session(session, doors);
    let registrations = engine.registrations.listed();
    let own: Vec<_> = registrations.filter(|(_, found)| found.session == number).collect();
    reply.map(figures.len() + 4 + usize::from(detail == Detail::Whole));
    reply.text("name");
    reply.text(&session.name);
    reply.text("desc");
    reply.text_or_null(session.description.as_deref());
    reply.text("state");
    reply.text(state_of(session));
    write_figures(&figures, reply);
    if detail == Detail::Whole {
        reply.text("private_bytes");
        match session.worker().and_then(|worker| doors.workers.private_bytes(worker)) {
            Some(bytes) => reply.integer(bytes as i64),
            None => reply.null(),
        }
    }
    reply.text("registrations");
    reply.array(own.len());
    own.iter().for_each(|(number, _)| reply.text(&engine.identifiers.text(number.0)));
}

pub(super) fn write_figures(figures: &[Figure], reply: &mut ReplyWriter) {
    for (name, figure) in figures {
        reply.text(name);
        reply.integer(i64::try_from(*figure).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};

    fn stage() -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a DESCRIPTION words");
        let kwargs = [("trigger", text("t")), ("inordr", Argument::Bool(true))];
        stage.register(WORKER, 0, plan("CommandReader", &[StepKind::Map]), &kwargs);
        stage.script_done(WORKER);
        stage
    }

    #[test]
    fn a_registration_s_figures_are_named_and_in_one_list() {
        let mut stage = stage();
        stage.at(5);
        stage.command("RG.TRIGGER t");
        stage.host.monotonic_us += 7;
        stage.failed(WORKER, 1, "no");
        let reply = stage.command(&format!("RG.METRICS {}", id(1)));
        let figures = |names: &[(&str, u64)]| {
            let pair = |(name, value): &(&str, u64)| format!("${}|{name}|:{value}|", name.len());
            names.iter().map(pair).collect::<String>()
        };
        let counted = figures(&[
            ("calls", 1),
            ("succeeded", 0),
            ("failed", 1),
            ("aborted", 0),
            ("dropped", 0),
            ("skipped", 0),
            ("dead_lettered", 0),
            ("queue", 0),
            ("queue_max", 0),
            ("in_flight", 0),
            ("duration_p50_us", 7),
            ("duration_p99_us", 7),
            ("duration_max_us", 7),
            ("lag_p50_us", 7),
            ("lag_p99_us", 7),
            ("lag_max_us", 7),
            ("last_error_ms", 5),
        ]);
        let doubt = "register() knows no argument 'inordr': is 'inorder' meant?";
        assert_eq!(
            reply,
            format!(
                "*46|$2|id|$42|{}|$6|reader|$13|CommandReader|$4|desc|$-1|$7|session|$1|a|{counted}\
                 $10|last_error|$2|no|$6|doubts|*1|${}|{doubt}|",
                id(1),
                doubt.len()
            )
        );
    }

    #[test]
    fn a_session_s_figures_are_those_of_its_process() {
        let mut stage = stage();
        assert_eq!(
            stage.command("RG.METRICS a"),
            format!(
                "*20|$4|name|$1|a|$4|desc|$5|words|$5|state|$7|running|$3|pid|:1|$6|cpu_us|:0|\
                 $9|rss_bytes|:1000|$8|restarts|:0|$10|executions|:0|$13|private_bytes|:900|\
                 $13|registrations|*1|$42|{}|",
                id(1)
            )
        );
    }

    #[test]
    fn all_there_is_comes_without_a_name_and_nothing_for_a_name_that_nobody_has() {
        let mut stage = stage();
        let all = stage.command("RG.METRICS");
        assert!(all.starts_with("*6|$4|runs|*18|$5|calls|:0|"), "{all}");
        assert!(all.contains("|$13|registrations|*1|*46|$2|id|"), "{all}");
        assert!(all.contains("$8|sessions|*1|*18|$4|name|$1|a|"), "{all}");
        let unknown = stage.command("RG.METRICS b");
        assert_eq!(unknown, "-ERR no registration and no session is 'b'|");
    }
}
