use resp::ReplyWriter;

use super::metrics::write_figures;
use super::{Call, Command, Refusal, spec};
use crate::config::ReplyCompat;
use crate::engine::{Answer, Engine};
use crate::identifier::RegistrationNumber;
use crate::metrics::of_registration;
use crate::registrations::{
    CronTrigger, KeysTrigger, Registration, Statistics, StreamTrigger, Trigger,
};

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.dumpregistrations", "Lists the registrations and how they fared.", ""),
    args: 0..=usize::MAX,
    run,
};

/// RG.DUMPREGISTRATIONS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    call.reply.array(engine.registrations.listed().count());
    for (number, registration) in engine.registrations.listed() {
        write_registration(engine, number, registration, Detail::Whole, &mut call.reply);
    }
    Ok(Answer::Ready)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Whole,
    /// Where the session is what the reply is about.
    WithoutSession,
}

pub(super) fn write_registration(
    engine: &Engine,
    number: RegistrationNumber,
    registration: &Registration,
    detail: Detail,
    reply: &mut ReplyWriter,
) {
    let compat = engine.config.reply_compat();
    reply.array(if detail == Detail::Whole { 12 } else { 10 });
    reply.text("id");
    reply.text(&engine.identifiers.text(number.0));
    reply.text("reader");
    reply.text(registration.reader().name());
    reply.text("desc");
    reply.text_or_null(registration.plan.description.as_deref());
    reply.text("RegistrationData");
    write_data(engine, number, registration, compat, reply);
    if detail == Detail::Whole {
        reply.text("PD");
        reply.text(&private_data(engine, registration, compat));
    }
    reply.text("ExecutionThreadPool");
    reply.text("DefaultPool");
}

fn write_data(
    engine: &Engine,
    number: RegistrationNumber,
    registration: &Registration,
    compat: ReplyCompat,
    reply: &mut ReplyWriter,
) {
    let with_durations = compat >= ReplyCompat::V1_2_13;
    let statistics = &registration.statistics;
    let stream = match &registration.trigger {
        Trigger::Stream(stream) => Some(stream),
        Trigger::Keys(_) | Trigger::Command(_) | Trigger::Cron(_) => None,
    };
    let mut pairs = 7 + usize::from(stream.is_some());
    if with_durations {
        pairs += 3 + QUEUE_PAIRS + (2 + DEAD_LETTER_PAIRS) * usize::from(stream.is_some());
    }
    let is_ours = compat == ReplyCompat::Mainspring;
    pairs += 2 * usize::from(is_ours);

    reply.array(2 * pairs);
    reply.text("mode");
    reply.text(registration.mode.name());
    for (name, count) in [
        ("numTriggered", statistics.triggered),
        ("numSuccess", statistics.succeeded),
        ("numFailures", statistics.failed),
        ("numAborted", statistics.aborted),
    ] {
        reply.text(name);
        reply.integer(count as i64);
    }
    if with_durations {
        write_durations(registration, reply);
        if let Some(stream) = stream {
            reply.text("lastEstimatedLagMS");
            reply.integer(stream.last_lag_ms);
            reply.text("avgEstimatedLagMS");
            reply.double(statistics.average_of(stream.total_lag_ms as f64));
        }
    }
    reply.text("lastError");
    reply.text_or_null(statistics.last_error.as_deref());
    reply.text("args");
    match &registration.trigger {
        Trigger::Keys(keys) => write_keys(keys, reply),
        Trigger::Command(command) => {
            let pairs = if with_durations { 2 } else { 1 };
            reply.array(2 * pairs);
            reply.text("trigger");
            reply.bulk(&command.name);
            if with_durations {
                reply.text("inorder");
                reply.integer(i64::from(command.in_order));
            }
        }
        Trigger::Stream(stream) => write_stream(stream, compat, reply),
        Trigger::Cron(cron) => write_cron(cron, statistics, reply),
    }
    if let Some(stream) = stream {
        reply.text("status");
        reply.text(stream.status.name());
    }
    if with_durations {
        // Ours, at the end: clients know the others by their place.
        write_queue(engine, number, registration, reply);
        if let Some(stream) = stream {
            write_dead_letters(stream, statistics, reply);
        }
    }
    if is_ours {
        let figures = of_registration(registration);
        reply.text("metrics");
        reply.array(2 * figures.len());
        write_figures(&figures, reply);
        reply.text("doubts");
        write_texts(registration.doubts.iter().map(String::as_str), reply);
    }
}

const DEAD_LETTER_PAIRS: usize = 3;

fn write_dead_letters(stream: &StreamTrigger, statistics: &Statistics, reply: &mut ReplyWriter) {
    let giving_up = &stream.options.giving_up;
    reply.text("maxRetries");
    match giving_up.max_retries {
        Some(count) => reply.integer(count as i64),
        None => reply.null(),
    }
    reply.text("deadLetter");
    reply.bulk_or_null(giving_up.dead_letter.as_deref());
    reply.text("deadLettered");
    reply.integer(statistics.dead_lettered as i64);
}

const QUEUE_PAIRS: usize = 4;

fn write_queue(
    engine: &Engine,
    number: RegistrationNumber,
    registration: &Registration,
    reply: &mut ReplyWriter,
) {
    reply.text("queuePolicy");
    reply.text(engine.queue_policy(registration).name());
    reply.text("queueMax");
    reply.integer(engine.queue_max(registration) as i64);
    reply.text("queued");
    reply.integer(engine.waiting(number) as i64);
    reply.text("dropped");
    reply.integer(registration.statistics.dropped as i64);
}

fn write_durations(registration: &Registration, reply: &mut ReplyWriter) {
    let statistics = &registration.statistics;
    reply.text("lastRunDurationMS");
    reply.integer(statistics.last_ms as i64);
    reply.text("totalRunDurationMS");
    reply.integer(statistics.total_ms as i64);
    reply.text("avgRunDurationMS");
    reply.double(statistics.average_of(statistics.total_ms as f64));
}

fn write_keys(keys: &KeysTrigger, reply: &mut ReplyWriter) {
    reply.array(8);
    reply.text("regex");
    reply.bulk(&keys.pattern.text());
    reply.text("eventTypes");
    match &keys.events {
        Some(events) => write_texts(events.iter().map(|event| &**event), reply),
        None => reply.null_array(),
    }
    reply.text("keyTypes");
    match &keys.types {
        Some(types) => write_texts(types.names().iter().copied(), reply),
        None => reply.null_array(),
    }
    reply.text("hookCommands");
    match &keys.commands {
        Some(commands) => write_texts(commands.iter().map(|command| &**command), reply),
        None => reply.null_array(),
    }
}

fn write_texts<'a>(texts: impl ExactSizeIterator<Item = &'a str>, reply: &mut ReplyWriter) {
    reply.array(texts.len());
    texts.for_each(|text| reply.text(text));
}

fn write_stream(stream: &StreamTrigger, compat: ReplyCompat, reply: &mut ReplyWriter) {
    let with_policy = compat >= ReplyCompat::V1_2_13;
    reply.array(if with_policy { 12 } else { 6 });
    reply.text("batchSize");
    reply.integer(stream.options.batch as i64);
    reply.text("durationMS");
    reply.integer(stream.options.duration_ms);
    reply.text("stream");
    reply.bulk(&stream.options.pattern.text());
    if with_policy {
        reply.text("trimStream");
        reply.integer(i64::from(stream.options.trims));
        reply.text("onFailedPolicy");
        reply.text(stream.options.policy.name());
        reply.text("retryInterval");
        reply.integer(stream.options.retry_s);
    }
}

fn write_cron(cron: &CronTrigger, statistics: &Statistics, reply: &mut ReplyWriter) {
    reply.array(6);
    reply.text("cron");
    reply.text(cron.schedule.text());
    reply.text("nextRunMS");
    match cron.next_ms {
        Some(next_ms) => reply.integer(next_ms),
        None => reply.null(),
    }
    reply.text("skipped");
    reply.integer(statistics.skipped as i64);
}

/// What a client of the time finds in a registration's private data: a Python literal in 1.2.1, nearly one in 1.2.13.
fn private_data(engine: &Engine, registration: &Registration, compat: ReplyCompat) -> String {
    let session = &engine.sessions.by_number[&registration.session];
    let requirements = private_requirements(engine, &session.requirements);
    let doubts = private_doubts(registration);
    if compat == ReplyCompat::V1_2_1 {
        return format!("{{'sessionId':'{}', 'depsList':[{requirements}]{doubts}}}", session.name);
    }
    let number = registration.session;
    let linked = engine.sessions.by_name.get(&session.name) == Some(&number);
    let ids: Vec<String> = engine
        .registrations
        .listed()
        .filter(|(_, other)| other.session == number)
        .map(|(number, _)| format!("'{}'", engine.identifiers.text(number.0)))
        .collect();
    format!(
        "{{'sessionName':'{}', 'sessionDescription':'{}', 'refCount': {}, 'linkedTo': {}, \
         'dead': {}, 'isInstallationNeeded':0, 'registrationsList':[{}], \
         'depsList':[{requirements}]{doubts}}}",
        session.name,
        session.description.as_deref().unwrap_or("null"),
        ids.len() + session.unfinished,
        if linked { "primary" } else { "None" },
        !linked,
        ids.join(", "),
    )
}

fn private_requirements(engine: &Engine, requirements: &[String]) -> String {
    let list = requirements.iter().filter_map(|name| engine.requirements.installed.get(name));
    let list = list.map(|installed| {
        let wheels: Vec<String> = installed.wheels.iter().map(|wheel| quoted(wheel)).collect();
        format!(
            "{{'name':{}, 'basePath':{}, 'wheels':[{}]}}",
            quoted(&installed.requirement),
            quoted(&installed.path),
            wheels.join(", ")
        )
    });
    list.collect::<Vec<_>>().join(", ")
}

/// Only where there are any: so that nobody who knows RedisGears' layout has to look at more than before.
fn private_doubts(registration: &Registration) -> String {
    if registration.doubts.is_empty() {
        return String::new();
    }
    let doubts: Vec<String> = registration.doubts.iter().map(|doubt| quoted(doubt)).collect();
    format!(", 'doubts':[{}]", doubts.join(", "))
}

/// A text as Python writes it in its source.
fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for letter in text.chars() {
        match letter {
            '\\' | '\'' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\0' => literal.push_str("\\0"),
            letter => literal.push(letter),
        }
    }
    literal + "'"
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};

    fn session(stage: &Stage) -> String {
        stage.engine.sessions.by_name.keys().next().unwrap().clone()
    }

    #[test]
    fn a_command_is_listed_as_redgrease_parses_it() {
        let mut stage = Stage::with_trigger();
        let private = format!("{{'sessionId':'{}', 'depsList':[]}}", session(&stage));
        assert_eq!(
            stage.command("RG.DUMPREGISTRATIONS"),
            format!(
                "*1|*12|$2|id|$42|{}|$6|reader|$13|CommandReader|$4|desc|$-1|\
                 $16|RegistrationData|*14|$4|mode|$5|async|$12|numTriggered|:0|$10|numSuccess|:0|\
                 $11|numFailures|:0|$10|numAborted|:0|$9|lastError|$-1|\
                 $4|args|*2|$7|trigger|$1|t|\
                 $2|PD|${}|{private}|$19|ExecutionThreadPool|$11|DefaultPool|",
                id(1),
                private.len()
            )
        );
    }

    #[test]
    fn durations_come_in_the_later_layout_only() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.host.monotonic_us += 4000;
        stage.done(WORKER, 1, vec![]);
        assert!(!stage.command("RG.DUMPREGISTRATIONS").contains("Duration"));
        stage.command("RG.CONFIGSET ReplyCompat 1.2.13");
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        assert!(
            dump.contains(
                "RegistrationData|*28|$4|mode|$5|async|$12|numTriggered|:1|$10|numSuccess|:1|\
                 $11|numFailures|:0|$10|numAborted|:0|$17|lastRunDurationMS|:4|\
                 $18|totalRunDurationMS|:4|$16|avgRunDurationMS|$1|4|$9|lastError|$-1|\
                 $4|args|*4|$7|trigger|$1|t|$7|inorder|:0|\
                 $11|queuePolicy|$5|block|$8|queueMax|:100000|$6|queued|:0|$7|dropped|:0|"
            ),
            "{dump}"
        );
        assert!(dump.contains("'linkedTo': primary, 'dead': false"), "{dump}");
    }

    #[test]
    fn keys_are_listed_with_what_they_wait_for() {
        let kwargs = [
            ("prefix", text("user:*")),
            ("eventTypes", Argument::List(vec![text("SET")])),
            ("mode", text("async_local")),
        ];
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::Map]), &kwargs);
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        assert!(dump.contains("RegistrationData|*14|$4|mode|$11|async_local|"), "{dump}");
        let args = "$4|args|*8|$5|regex|$6|user:*|$10|eventTypes|*1|$3|set|$8|keyTypes|*-1|\
                    $12|hookCommands|*-1|";
        assert!(dump.contains(args), "{dump}");
    }

    #[test]
    fn streams_are_listed_with_their_status_in_both_layouts() {
        let kwargs = [("prefix", text("s")), ("batch", Argument::Int(5))];
        let mut stage = Stage::registered(plan("StreamReader", &[StepKind::Map]), &kwargs);
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        let args = "$4|args|*6|$9|batchSize|:5|$10|durationMS|:0|$6|stream|$1|s|$6|status|$2|OK|";
        assert!(dump.contains("RegistrationData|*16|") && dump.contains(args), "{dump}");

        stage.command("RG.CONFIGSET ReplyCompat 1.2.13");
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        let args = "$4|args|*12|$9|batchSize|:5|$10|durationMS|:0|$6|stream|$1|s|\
                    $10|trimStream|:1|$14|onFailedPolicy|$8|continue|$13|retryInterval|:1|\
                    $6|status|$2|OK|\
                    $11|queuePolicy|$5|block|$8|queueMax|:100000|$6|queued|:0|$7|dropped|:0|\
                    $10|maxRetries|$-1|$10|deadLetter|$-1|$12|deadLettered|:0|";
        assert!(dump.contains("RegistrationData|*40|") && dump.contains(args), "{dump}");
    }

    #[test]
    fn names_that_do_nothing_are_told_with_those_they_may_stand_for() {
        let kwargs = [("eventTypes", Argument::List(vec![text("hs'ett"), text("set")]))];
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::Map]), &kwargs);
        let told =
            r"'depsList':[], 'doubts':['there is no event \'hs\'ett\': is \'hset\' meant?']}|";
        for compat in ["1.2.1", "1.2.13", "mainspring"] {
            stage.command(&format!("RG.CONFIGSET ReplyCompat {compat}"));
            let dump = stage.command("RG.DUMPREGISTRATIONS");
            assert!(dump.contains(told), "{dump}");
        }
    }

    #[test]
    fn our_own_layout_ends_with_figures_and_doubts() {
        let kwargs = [("trigger", text("t")), ("inordr", Argument::Bool(true))];
        let mut stage = Stage::registered(plan("CommandReader", &[StepKind::Map]), &kwargs);
        stage.command("RG.CONFIGSET ReplyCompat mainspring");
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        assert!(dump.contains("RegistrationData|*32|$4|mode|"), "{dump}");
        let end = "$7|dropped|:0|$7|metrics|*34|$5|calls|:0|$9|succeeded|:0|";
        assert!(dump.contains(end), "{dump}");
        let end = "$13|last_error_ms|:0|$6|doubts|*1|$58|register() knows no argument 'inordr': \
                   is 'inorder' meant?|$2|PD|";
        assert!(dump.contains(end), "{dump}");
    }

    #[test]
    fn statistics_can_be_set_back() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.failed(WORKER, 1, "no");
        stage.command("RG.TRIGGER t");
        assert_eq!(stage.command("RG.CLEARREGISTRATIONSSTATS"), "+OK|");
        assert_eq!(stage.statistics(), (1, 0, 0, 0, None));
    }
}
