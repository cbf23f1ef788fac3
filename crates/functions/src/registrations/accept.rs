//! `run()` and `register()` calls, checked: what they ask for, or the text that Python raises.

use super::schedule::Schedule;
use super::{
    CommandTrigger, CronTrigger, FailurePolicy, GivingUp, Hook, KeyTypes, KeysTrigger, Mode,
    Pattern, QueueLimit, QueuePolicy, StreamOptions, StreamTrigger, Trigger,
};
use crate::host::Projection;
use crate::plan::{Argument, Plan};
use crate::readers::{Reader, Shape, Walk, text};

/// A registration that passed all checks but those against other registrations.
pub(crate) struct Accepted {
    pub(crate) mode: Mode,
    pub(crate) trigger: Trigger,
    pub(crate) limit: QueueLimit,
}

/// The keyword arguments of one call. `None` counts as not given; names that nobody knows are ignored, as ever.
struct Keywords<'a>(&'a [(String, Argument)]);

impl<'a> Keywords<'a> {
    fn get(&self, name: &str) -> Option<&'a Argument> {
        let given = self.0.iter().find(|(given, _)| given == name);
        given.map(|(_, value)| value).filter(|value| **value != Argument::None)
    }

    fn text(&self, name: &str, error: &str) -> Result<Option<&'a [u8]>, String> {
        self.get(name).map(|value| text(value).ok_or_else(|| error.into())).transpose()
    }

    fn flag(&self, name: &str, default: bool, error: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Argument::Bool(value)) => Ok(*value),
            Some(_) => Err(error.into()),
        }
    }

    fn number(&self, name: &str, default: i64, error: &str) -> Result<i64, String> {
        match self.get(name) {
            None => Ok(default),
            Some(Argument::Int(value)) => Ok(*value),
            Some(_) => Err(error.into()),
        }
    }

    /// An iterable of texts; `None` if it was not given.
    fn texts(&self, name: &str, plural: &str, one: &str) -> Result<Option<Vec<&'a [u8]>>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let (Argument::List(items) | Argument::Tuple(items) | Argument::Set(items)) = value else {
            return Err(format!("given {plural} is not iterable"));
        };
        let texts: Option<Vec<&[u8]>> = items.iter().map(text).collect();
        texts.map(Some).ok_or_else(|| format!("given {one} is not string"))
    }
}

/// How a `run()` goes over its reader.
pub(crate) fn accept_run(plan: &Plan, kwargs: &[(String, Argument)]) -> Result<Walk, String> {
    let keywords = Keywords(kwargs);
    let reader = Reader::named(&plan.reader).ok_or("The given reader does not exists")?;
    run_mode(&keywords)?;
    Ok(match reader {
        Reader::Keys => {
            let reads = keywords.flag("readValue", true, "readValue value is not boolean")?;
            walk_keys(plan, &keywords, Shape::Record(projection(plan, reads)))?
        }
        Reader::KeysOnly => walk_keys(plan, &keywords, Shape::BareKey)?,
        Reader::Stream => {
            let key = match &plan.argument {
                Argument::None => b"*",
                key => text(key).ok_or("stream argument must be a string")?,
            };
            let from = keywords.text("fromId", "fromId argument must be a string")?;
            let from = String::from_utf8_lossy(from.unwrap_or(b"0-0")).into_owned();
            Walk::Stream { key: key.into(), from }
        }
        Reader::Python => Walk::Callback,
        Reader::ShardsId => Walk::ShardId,
        Reader::Command => return Err("Given reader do not support run or not exists".into()),
    })
}

/// A value that no callback can see is not read.
fn projection(plan: &Plan, reads_value: bool) -> Projection {
    match reads_value && plan.visible.needs_value() {
        true => Projection::KeyAndValue,
        false => Projection::Key,
    }
}

fn run_mode(keywords: &Keywords) -> Result<(), String> {
    match keywords.text("mode", "execution mode must be a string")? {
        None | Some(b"async" | b"async_local") => Ok(()),
        Some(_) => Err("unknown execution mode".into()),
    }
}

fn walk_keys(plan: &Plan, keywords: &Keywords, shape: Shape) -> Result<Walk, String> {
    let pattern = match &plan.argument {
        Argument::None => b"*",
        pattern => text(pattern).ok_or("regex argument must be a string")?,
    };
    if keywords.flag("noScan", false, "exactMatch value is not boolean")? {
        return Ok(Walk::One { key: pattern.into(), shape });
    }
    let pattern = (pattern != b"*").then(|| pattern.into());
    Ok(Walk::Scan { pattern, cursor: 0, shape })
}

/// What a `register()` waits for.
pub(crate) fn accept(plan: &Plan, kwargs: &[(String, Argument)]) -> Result<Accepted, String> {
    let keywords = Keywords(kwargs);
    let reader = Reader::named(&plan.reader)
        .ok_or("given reader does not exists or does not support register")?;
    let mode = match keywords.text("mode", "execution mode must be a string")? {
        None | Some(b"async") => Mode::Async,
        Some(b"async_local") => Mode::AsyncLocal,
        Some(b"sync") => Mode::Sync,
        Some(_) => return Err("unknown execution mode".into()),
    };
    let trigger = match reader {
        _ if keywords.get("cron").is_some() => {
            Trigger::Cron(Box::new(accept_cron(plan, kwargs, reader, mode)?))
        }
        Reader::Keys => Trigger::Keys(accept_keys(plan, &keywords)?),
        Reader::Stream => Trigger::Stream(accept_stream(plan, &keywords, mode)?),
        Reader::Command => Trigger::Command(accept_command(&keywords)?),
        Reader::KeysOnly | Reader::Python | Reader::ShardsId => {
            return Err("reader does not support register".into());
        }
    };
    let limit = accept_limit(&keywords)?;
    Ok(Accepted { mode, trigger, limit })
}

/// It is run as `run()` would.
fn accept_cron(
    plan: &Plan,
    kwargs: &[(String, Argument)],
    reader: Reader,
    mode: Mode,
) -> Result<CronTrigger, String> {
    const NO_TEXT: &str = "cron must be a string";
    let text = Keywords(kwargs).text("cron", NO_TEXT)?.ok_or(NO_TEXT)?;
    if mode == Mode::Sync {
        return Err("cron cannot be combined with mode sync".into());
    }
    if reader == Reader::Command {
        return Err("cron cannot be combined with the CommandReader".into());
    }
    let schedule = Schedule::parse(str::from_utf8(text).map_err(|_| NO_TEXT)?)?;
    Ok(CronTrigger { schedule, reader, walk: accept_run(plan, kwargs)?, next_ms: None })
}

fn accept_limit(keywords: &Keywords) -> Result<QueueLimit, String> {
    const NO_POLICY: &str = "queue_policy must be block, drop or error";
    const NO_MAX: &str = "queue_max must be a number from 1 on";
    let policy = keywords
        .text("queue_policy", NO_POLICY)?
        .map(|name| str::from_utf8(name).ok().and_then(QueuePolicy::named).ok_or(NO_POLICY));
    let max = match keywords.get("queue_max") {
        None => None,
        Some(_) => {
            let max = keywords.number("queue_max", 0, NO_MAX)?;
            Some(usize::try_from(max).ok().filter(|max| *max > 0).ok_or(NO_MAX)?)
        }
    };
    Ok(QueueLimit { max, policy: policy.transpose()? })
}

fn pattern(plan: &Plan, keywords: &Keywords) -> Result<Pattern, String> {
    const NOT_TEXT: &str = "regex argument must be a string";
    let prefix = match (keywords.text("regex", NOT_TEXT)?, keywords.text("prefix", NOT_TEXT)?) {
        (Some(regex), _) => regex,
        (None, Some(prefix)) => prefix,
        (None, None) => match &plan.argument {
            Argument::None => b"*",
            argument => text(argument).ok_or(NOT_TEXT)?,
        },
    };
    Ok(Pattern::parse(prefix))
}

fn accept_keys(plan: &Plan, keywords: &Keywords) -> Result<KeysTrigger, String> {
    let pattern = pattern(plan, keywords)?;
    let events = keywords.texts("eventTypes", "eventTypes", "event type")?;
    let events = events.filter(|events| !events.is_empty()).map(|events| {
        let lower = |event: &[u8]| String::from_utf8_lossy(event).to_ascii_lowercase().into();
        events.into_iter().map(lower).collect()
    });
    let types = keywords.texts("keyTypes", "keyTypes", "key type")?;
    let types = types.filter(|types| !types.is_empty()).map(KeyTypes::parse).transpose()?;
    let commands = keywords.texts("commands", "commands", "command type")?;
    let commands = commands.filter(|commands| !commands.is_empty()).map(|commands| {
        let lower = |command: &[u8]| String::from_utf8_lossy(command).to_ascii_lowercase().into();
        commands.into_iter().map(lower).collect()
    });
    let reads = keywords.flag("readValue", true, "readValue is not boolean")?;
    let projection = projection(plan, reads);
    Ok(KeysTrigger { pattern, events, types, projection, commands })
}

fn accept_command(keywords: &Keywords) -> Result<CommandTrigger, String> {
    let trigger = keywords.text("trigger", "trigger argument is not string")?;
    let hook = keywords.text("hook", "hook argument is not string")?;
    let prefix = keywords.text("keyprefix", "keyprefix argument is not string")?;
    let in_order = keywords.flag("inorder", false, "inorder argument is be boolean")?;
    match (trigger, hook) {
        (Some(_), Some(_)) => {
            Err("trigger argument can not be given with keyprefix or hook".into())
        }
        (Some(_), None) if prefix.is_some() => {
            Err("trigger argument can not be given with keyprefix or hook".into())
        }
        (Some(name), None) => Ok(CommandTrigger { name: name.into(), in_order, hook: None }),
        (None, Some(command)) => {
            let hook = Some(Hook { prefix: prefix.map(Into::into) });
            Ok(CommandTrigger { name: command.to_ascii_lowercase().into(), in_order, hook })
        }
        (None, None) => Err("no trigger or hook argument was given".into()),
    }
}

fn accept_stream(plan: &Plan, keywords: &Keywords, mode: Mode) -> Result<StreamTrigger, String> {
    let batch = keywords.number("batch", 1, "batch argument must be a number")?;
    let duration_ms = keywords.number("duration", 0, "duration argument must be a number")?;
    let policy = match keywords.get("onFailedPolicy") {
        None => FailurePolicy::Continue,
        Some(policy) => {
            let policy = text(policy)
                .ok_or("onFailedPolicy must be a string (Continue/Abort/Retry)")?
                .to_ascii_lowercase();
            match policy.as_slice() {
                b"continue" => FailurePolicy::Continue,
                b"abort" => FailurePolicy::Abort,
                b"retry" => FailurePolicy::Retry,
                _ => return Err("onFailedPolicy must be Continue/Abort/Retry".into()),
            }
        }
    };
    if mode == Mode::Sync && policy != FailurePolicy::Continue {
        return Err("ExecutionMode sync can only be combined with OnFailedPolicy Continue".into());
    }
    const RETRY: &str = "retryInterval argument must be a number";
    let retry_s = keywords.number("onFailedRetryInterval", 1, RETRY)?;
    let trims = keywords.flag("trimStream", true, "pyTrimmStream argument must be a boolean")?;
    let pattern = pattern(plan, keywords)?;
    let options = StreamOptions {
        giving_up: accept_giving_up(keywords, policy, &pattern)?,
        pattern,
        batch: u64::try_from(batch).unwrap_or(1).max(1),
        duration_ms: duration_ms.max(0),
        policy,
        retry_s: retry_s.max(0),
        trims,
    };
    Ok(StreamTrigger::new(options, mode))
}

fn accept_giving_up(
    keywords: &Keywords,
    policy: FailurePolicy,
    pattern: &Pattern,
) -> Result<GivingUp, String> {
    const NO_COUNT: &str = "max_retries must be a number from 0 on";
    let max_retries = match keywords.get("max_retries") {
        None => None,
        Some(_) => {
            let count = keywords.number("max_retries", 0, NO_COUNT)?;
            Some(u64::try_from(count).map_err(|_| NO_COUNT)?)
        }
    };
    let dead_letter = keywords.text("dead_letter", "dead_letter must be the key of a stream")?;
    let isolates =
        keywords.flag("dead_letter_isolate", true, "dead_letter_isolate must be a boolean")?;
    if max_retries.is_some() && policy != FailurePolicy::Retry {
        return Err("max_retries can only be combined with onFailedPolicy Retry".into());
    }
    if let Some(key) = dead_letter {
        match policy {
            FailurePolicy::Abort => {
                return Err("dead_letter cannot be combined with onFailedPolicy Abort".into());
            }
            FailurePolicy::Retry if max_retries.is_none() => {
                return Err("dead_letter with onFailedPolicy Retry needs max_retries".into());
            }
            FailurePolicy::Retry | FailurePolicy::Continue => {}
        }
        if pattern.matches(key) {
            return Err("dead_letter must not be one of the streams that are read".into());
        }
    }
    Ok(GivingUp { max_retries, dead_letter: dead_letter.map(Into::into), isolates })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(reader: &str, argument: Argument) -> Plan {
        Plan {
            reader: reader.into(),
            argument,
            description: None,
            steps: vec![],
            visible: crate::plan::Visible::ALL,
        }
    }

    fn text(value: &str) -> Argument {
        Argument::Text(value.into())
    }

    fn refusal(reader: &str, kwargs: &[(&str, Argument)]) -> String {
        let kwargs: Vec<_> =
            kwargs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        match accept(&plan(reader, Argument::None), &kwargs) {
            Ok(_) => String::new(),
            Err(error) => error,
        }
    }

    #[test]
    fn wrong_arguments_of_register_are_refused_in_redisgears_words() {
        let list = |item| Argument::List(vec![item]);
        let one = Argument::Int(1);
        for (reader, name, value, error) in [
            ("KeysReader", "prefix", one.clone(), "regex argument must be a string"),
            ("KeysReader", "eventTypes", one.clone(), "given eventTypes is not iterable"),
            ("KeysReader", "eventTypes", list(one.clone()), "given event type is not string"),
            ("KeysReader", "keyTypes", list(text("x")), "unknown key type"),
            ("KeysReader", "readValue", one.clone(), "readValue is not boolean"),
            ("KeysReader", "mode", text("x"), "unknown execution mode"),
            ("KeysReader", "mode", one.clone(), "execution mode must be a string"),
            ("CommandReader", "trigger", one.clone(), "trigger argument is not string"),
            ("CommandReader", "x", one.clone(), "no trigger or hook argument was given"),
            ("StreamReader", "batch", text("x"), "batch argument must be a number"),
            (
                "StreamReader",
                "onFailedPolicy",
                text("x"),
                "onFailedPolicy must be Continue/Abort/Retry",
            ),
            ("PythonReader", "x", one.clone(), "reader does not support register"),
            ("NoReader", "x", one, "given reader does not exists or does not support register"),
        ] {
            assert_eq!(refusal(reader, &[(name, value)]), error);
        }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        let policy = |name| ("onFailedPolicy", text(name));
        let one = ("max_retries", Argument::Int(1));
        let dead = |key| ("dead_letter", text(key));
        for (kwargs, error) in [
            (vec![one.clone()], "max_retries can only be combined with onFailedPolicy Retry"),
            (
                vec![policy("retry"), dead("d")],
                "dead_letter with onFailedPolicy Retry needs max_retries",
            ),
            (
                vec![policy("abort"), dead("d")],
                "dead_letter cannot be combined with onFailedPolicy Abort",
            ),
            (
                vec![("prefix", text("s*")), dead("s2")],
                "dead_letter must not be one of the streams that are read",
            ),
            (
                vec![policy("retry"), ("max_retries", Argument::Int(-1))],
                "max_retries must be a number from 0 on",
            ),
            (vec![("queue_max", Argument::Int(0))], "queue_max must be a number from 1 on"),
            (vec![("queue_policy", text("x"))], "queue_policy must be block, drop or error"),
            (vec![("prefix", text("s")), policy("retry"), one, dead("d")], ""),
        ] {
            assert_eq!(refusal("StreamReader", &kwargs), error);
        }
    }

    #[test]
    fn none_counts_as_not_given_and_unknown_names_are_ignored() {
        assert_eq!(
            refusal("KeysReader", &[("eventTypes", Argument::None), ("noScan", text("x"))]),
            ""
        );
    }

    #[test]
    fn a_stream_reader_inside_commands_must_go_on_after_errors() {
        let sync = [("mode", text("sync")), ("onFailedPolicy", text("retry"))];
        let refused = refusal("StreamReader", &sync);
        assert_eq!(refused, "ExecutionMode sync can only be combined with OnFailedPolicy Continue");
    }

    #[test]
    fn a_run_takes_its_pattern_and_reads_values_unless_told_otherwise() {
        let walk = accept_run(&plan("KeysReader", text("user:*")), &[]);
        let shape = Shape::Record(Projection::KeyAndValue);
        assert_eq!(walk, Ok(Walk::Scan { pattern: Some(b"user:*"[..].into()), cursor: 0, shape }));

        let kwargs = [("noScan".into(), Argument::Bool(true))];
        let walk = accept_run(&plan("KeysOnlyReader", text("k")), &kwargs);
        assert_eq!(walk, Ok(Walk::One { key: b"k"[..].into(), shape: Shape::BareKey }));
    }

    #[test]
    fn a_command_reader_cannot_be_run() {
        let refused = accept_run(&plan("CommandReader", Argument::None), &[]);
        assert_eq!(refused, Err("Given reader do not support run or not exists".into()));
    }
}
