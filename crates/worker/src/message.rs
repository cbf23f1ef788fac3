//! What the values in a frame mean: see docs/worker-protocol.md for the shapes.

use functions::host::Level;
use functions::plan::{Argument, Plan, Step, StepKind, Visible};
use functions::worker::{ExecutionId, FromWorker, FunctionId, Token};

use crate::marshal::Writer;

/// Messages to a worker, by the number that leads them.
pub(crate) mod to_worker {
    pub(crate) const SESSION: i64 = 0;
    pub(crate) const SCRIPT: i64 = 1;
    pub(crate) const LOAD: i64 = 2;
    pub(crate) const OPEN: i64 = 3;
    pub(crate) const FEED: i64 = 4;
    pub(crate) const INVOKE: i64 = 5;
    pub(crate) const ABORT: i64 = 6;
    pub(crate) const ANSWER: i64 = 7;
    pub(crate) const FORGET: i64 = 8;
    pub(crate) const INVOKE_INSIDE: i64 = 9;
    pub(crate) const HAND_BACK: i64 = 10;
    pub(crate) const ABORT_SCRIPT: i64 = 11;
    pub(crate) const TIME_EVENT: i64 = 12;
    pub(crate) const PROFILE: i64 = 13;
    pub(crate) const PACKAGES: i64 = 14;
    pub(crate) const INVOKE_IN_LINE: i64 = 15;
    pub(crate) const WITHDRAW: i64 = 16;
}

/// Leads a message that means nothing but: look into the mailbox. Both ways.
const LOOK: i64 = 99;

pub(crate) fn look(to: &mut Writer<'_>) {
    to.tuple(1);
    to.int(LOOK);
}

/// A message that no runtime of ours sends.
#[derive(Debug)]
pub(crate) struct Unexpected(pub(crate) String);

impl From<&str> for Unexpected {
    fn from(what: &str) -> Self {
        Unexpected(what.into())
    }
}

type Result<T> = std::result::Result<T, Unexpected>;

/// The messages of one frame, in order.
pub(crate) fn messages(frame: Argument) -> Result<Vec<Argument>> {
    match frame {
        Argument::List(messages) | Argument::Tuple(messages) => Ok(messages),
        _ => Err("a frame is not a list".into()),
    }
}

/// `None`: the message was only to make us look at what lies in the mailbox.
pub(crate) fn from_worker(message: Argument) -> Result<Option<FromWorker>> {
    let mut fields = Fields::of(message)?;
    let message = match fields.int()? {
        1 => FromWorker::ScriptDone { error: fields.optional_text()? },
        2 => FromWorker::Run {
            token: fields.token()?,
            function: fields.function()?,
            plan: fields.plan()?,
            kwargs: fields.kwargs()?,
        },
        3 => FromWorker::Register {
            token: fields.token()?,
            function: fields.function()?,
            plan: fields.plan()?,
            kwargs: fields.kwargs()?,
            pickle: fields.bytes()?,
        },
        4 => FromWorker::Loaded { error: fields.optional_text()? },
        5 => FromWorker::Progress {
            execution: fields.execution()?,
            records: fields.records()?,
            errors: fields.texts()?,
            satisfied: fields.bool()?,
            done: fields.bool()?,
            consumed: fields.unsigned()? as usize,
            busy_us: fields.unsigned()?,
        },
        6 => FromWorker::Execute {
            token: fields.token()?,
            execution: fields.optional_execution()?,
            args: fields.byte_strings()?,
        },
        7 => FromWorker::AtomicBegin {
            token: fields.token()?,
            execution: fields.optional_execution()?,
        },
        8 => FromWorker::AtomicEnd { token: fields.token()? },
        9 => FromWorker::ConfigGet { token: fields.token()?, key: fields.text()? },
        10 => FromWorker::Log { level: fields.level()?, message: fields.text()? },
        11 => FromWorker::Suspended { execution: fields.execution()? },
        12 => FromWorker::CallNext {
            token: fields.token()?,
            execution: fields.optional_execution()?,
            args: fields.byte_strings()?,
        },
        13 => FromWorker::GetCommand {
            token: fields.token()?,
            execution: fields.optional_execution()?,
        },
        14 => FromWorker::OverrideReply {
            token: fields.token()?,
            execution: fields.optional_execution()?,
            value: fields.next()?,
        },
        15 => FromWorker::TimeEvent {
            token: fields.token()?,
            number: fields.function()?.0,
            period_s: fields.unsigned()?,
            key: fields.optional_text()?,
        },
        16 => FromWorker::ProfileReport {
            request: fields.unsigned()?,
            report: match (fields.bool()?, fields.text()?) {
                (true, report) => Ok(report),
                (false, error) => Err(error),
            },
        },
        17 => FromWorker::StepDurations {
            execution: fields.execution()?,
            step_us: fields.list()?.into_iter().map(unsigned).collect::<Result<_>>()?,
        },
        18 => FromWorker::Computed { beyond: fields.executions()? },
        19 => FromWorker::Withdrawn { execution: fields.execution()? },
        LOOK => {
            fields.end()?;
            return Ok(None);
        }
        other => return Err(Unexpected(format!("message {other} is unknown"))),
    };
    fields.end()?;
    Ok(Some(message))
}

/// A tuple's elements, taken one by one.
struct Fields(std::vec::IntoIter<Argument>);

impl Fields {
    fn of(value: Argument) -> Result<Self> {
        match value {
            Argument::Tuple(items) => Ok(Fields(items.into_iter())),
            _ => Err("a message is not a tuple".into()),
        }
    }

    fn next(&mut self) -> Result<Argument> {
        self.0.next().ok_or_else(|| "a message is too short".into())
    }

    fn end(mut self) -> Result<()> {
        match self.0.next() {
            None => Ok(()),
            Some(_) => Err("a message is too long".into()),
        }
    }

    fn int(&mut self) -> Result<i64> {
        match self.next()? {
            Argument::Int(value) => Ok(value),
            _ => Err("an integer is missing".into()),
        }
    }

    fn unsigned(&mut self) -> Result<u64> {
        unsigned(self.next()?)
    }

    fn bool(&mut self) -> Result<bool> {
        match self.next()? {
            Argument::Bool(value) => Ok(value),
            _ => Err("a truth value is missing".into()),
        }
    }

    fn text(&mut self) -> Result<String> {
        text(self.next()?)
    }

    fn optional_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Argument::None => Ok(None),
            value => text(value).map(Some),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        bytes(self.next()?)
    }

    fn list(&mut self) -> Result<Vec<Argument>> {
        match self.next()? {
            Argument::List(items) => Ok(items),
            _ => Err("a list is missing".into()),
        }
    }

    fn texts(&mut self) -> Result<Vec<String>> {
        self.list()?.into_iter().map(text).collect()
    }

    /// A command's arguments: as bytes, or as what they are made of.
    fn byte_strings(&mut self) -> Result<Vec<Vec<u8>>> {
        match self.next()? {
            Argument::List(items) | Argument::Tuple(items) => {
                items.into_iter().map(byte_string).collect()
            }
            _ => Err("arguments are missing".into()),
        }
    }

    /// Records, of which the worker had to pickle those at the positions that follow.
    fn records(&mut self) -> Result<Vec<Argument>> {
        let mut records = self.list()?;
        for position in self.list()? {
            let Argument::Int(position) = position else {
                return Err("a position is no number".into());
            };
            let record = usize::try_from(position).ok().and_then(|at| records.get_mut(at));
            let record = record.ok_or("a position lies outside the records")?;
            *record = Argument::Pickle(bytes(std::mem::replace(record, Argument::None))?);
        }
        Ok(records)
    }

    fn token(&mut self) -> Result<Token> {
        Ok(Token(self.unsigned()?))
    }

    fn function(&mut self) -> Result<FunctionId> {
        let number = self.unsigned()?;
        u32::try_from(number).map(FunctionId).map_err(|_| "a function's number is too large".into())
    }

    fn execution(&mut self) -> Result<ExecutionId> {
        Ok(ExecutionId(self.unsigned()?))
    }

    fn optional_execution(&mut self) -> Result<Option<ExecutionId>> {
        optional_execution(self.next()?)
    }

    fn executions(&mut self) -> Result<Vec<Option<ExecutionId>>> {
        self.list()?.into_iter().map(optional_execution).collect()
    }

    fn level(&mut self) -> Result<Level> {
        Ok(match self.text()?.as_str() {
            "debug" => Level::Debug,
            "verbose" => Level::Verbose,
            "notice" => Level::Notice,
            "warning" => Level::Warning,
            _ => return Err("a log level is unknown".into()),
        })
    }

    fn kwargs(&mut self) -> Result<Vec<(String, Argument)>> {
        match self.next()? {
            Argument::Dict(pairs) => {
                pairs.into_iter().map(|(key, value)| Ok((text(key)?, value))).collect()
            }
            _ => Err("keyword arguments are missing".into()),
        }
    }

    fn plan(&mut self) -> Result<Plan> {
        let mut fields = Fields::of(self.next()?)?;
        let plan = Plan {
            reader: fields.text()?,
            argument: fields.next()?,
            description: fields.optional_text()?,
            steps: fields.list()?.into_iter().map(step).collect::<Result<_>>()?,
            visible: visible(fields.next()?)?,
        };
        fields.end()?;
        Ok(plan)
    }
}

/// A dict of the fields that can be seen, and behind each what can be seen of its value; None for all.
fn visible(value: Argument) -> Result<Visible> {
    let seen = match value {
        Argument::None => return Ok(Visible::ALL),
        Argument::Dict(seen) => seen,
        _ => return Err("the visible fields are missing".into()),
    };
    let mut visible = NOTHING;
    for (name, inner) in seen {
        match text(name)?.as_str() {
            "key" => visible.key = true,
            "id" => visible.id = true,
            // Both are known with the value only.
            "type" | "truncated" => visible.kind = true,
            "event" => visible.event = true,
            "value" => {
                visible.value = true;
                visible.inner = match inner {
                    Argument::None => None,
                    Argument::List(names) => {
                        Some(names.into_iter().map(text).collect::<Result<_>>()?)
                    }
                    _ => return Err("the visible fields of a value are missing".into()),
                };
            }
            // No record has it.
            _ => {}
        }
    }
    Ok(visible)
}

const NOTHING: Visible =
    Visible { key: false, id: false, value: false, kind: false, event: false, inner: None };

fn step(value: Argument) -> Result<Step> {
    let mut fields = Fields::of(value)?;
    let kind = match fields.text()?.as_str() {
        "map" => StepKind::Map,
        "filter" => StepKind::Filter,
        "flatmap" => StepKind::FlatMap,
        "foreach" => StepKind::ForEach,
        "accumulate" => StepKind::Accumulate,
        "groupby" => StepKind::GroupBy,
        "batchgroupby" => StepKind::BatchGroupBy,
        "localgroupby" => StepKind::LocalGroupBy,
        "repartition" => StepKind::Repartition,
        "collect" => StepKind::Collect,
        "limit" => StepKind::Limit { length: fields.unsigned()?, offset: fields.unsigned()? },
        "count" => StepKind::Count,
        "totext" => StepKind::ToText,
        other => return Err(Unexpected(format!("step {other} is unknown"))),
    };
    let step = Step { kind, name: fields.text()?, argument: fields.text()? };
    fields.end()?;
    Ok(step)
}

fn optional_execution(value: Argument) -> Result<Option<ExecutionId>> {
    match value {
        Argument::None => Ok(None),
        Argument::Int(number) if number >= 0 => Ok(Some(ExecutionId(number as u64))),
        _ => Err("an execution is not a number".into()),
    }
}

fn unsigned(value: Argument) -> Result<u64> {
    match value {
        Argument::Int(value) => u64::try_from(value).map_err(|_| "a count is negative".into()),
        _ => Err("a count is missing".into()),
    }
}

fn text(value: Argument) -> Result<String> {
    match value {
        Argument::Text(text) => Ok(text),
        _ => Err("a text is missing".into()),
    }
}

fn byte_string(value: Argument) -> Result<Vec<u8>> {
    match value {
        Argument::Text(text) | Argument::BigInt(text) => Ok(text.into_bytes()),
        Argument::Int(number) => Ok(number.to_string().into_bytes()),
        other => bytes(other),
    }
}

fn bytes(value: Argument) -> Result<Vec<u8>> {
    match value {
        Argument::Bytes(bytes) => Ok(bytes),
        _ => Err("a byte string is missing".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(value: i64) -> Argument {
        Argument::Int(value)
    }

    #[test]
    fn records_at_the_given_positions_are_pickles() {
        let progress = Argument::Tuple(vec![
            int(5),
            int(9),
            Argument::List(vec![int(1), Argument::Bytes(b"p".to_vec())]),
            Argument::List(vec![int(1)]),
            Argument::List(vec![]),
            Argument::Bool(false),
            Argument::Bool(true),
            int(1),
            int(20),
        ]);
        let Some(FromWorker::Progress { records, done: true, .. }) = from_worker(progress).unwrap()
        else {
            panic!()
        };
        assert_eq!(records, [int(1), Argument::Pickle(b"p".to_vec())]);
    }

    #[test]
    fn messages_of_another_shape_are_refused() {
        assert!(from_worker(int(1)).is_err());
        assert!(from_worker(Argument::Tuple(vec![])).is_err());
        assert!(from_worker(Argument::Tuple(vec![int(7), int(-1)])).is_err());
        assert!(from_worker(Argument::Tuple(vec![int(8), int(1), int(1)])).is_err());
        assert!(from_worker(Argument::Tuple(vec![int(98)])).is_err());
    }
}
