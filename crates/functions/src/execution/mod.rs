//! One run of a function: its state, and what is kept of it afterwards.

mod life;
mod reading;
mod results;

use std::sync::Arc;

use crate::host::ClientId;
use crate::identifier::RegistrationNumber;
use crate::operators::Leading;
use crate::plan::{Argument, Plan};
use crate::readers::Walk;
use crate::readers::stream::StreamRun;
use crate::registrations::{EventName, Going, Registration};
use crate::session::SessionNumber;
use crate::worker::FunctionId;

pub(crate) use results::{ReplyForm, write_outcome, write_record, write_results};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Waits for its turn.
    Created,
    Running,
    Done,
    /// Was dropped before it started.
    Aborted,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Done => "done",
            Status::Aborted => "aborted",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Status::Done | Status::Aborted)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `run()` in a script whose client takes the results; nothing is kept.
    Script,
    /// The same with UNBLOCKING, or beside registrations: kept until it is dropped.
    Unblocking,
    /// `run()` in a step.
    Step,
    Registration(RegistrationNumber),
}

impl Origin {
    pub(crate) fn registration(self) -> Option<RegistrationNumber> {
        match self {
            Origin::Registration(number) => Some(number),
            Origin::Script | Origin::Unblocking | Origin::Step => None,
        }
    }
}

/// What an execution still has to read. It leaves the execution as soon as it is sent or read.
pub(crate) enum Input {
    None,
    Command(Arguments),
    /// Stays while a function inside a command runs: it is wanted again should its worker die.
    Event {
        key: Box<[u8]>,
        event: EventName,
    },
    Going(Box<Going>),
    /// Stays while the worker has the entries: they are acknowledged at the end.
    Stream(Box<StreamRun>),
    Batch(Box<Batch>),
}

/// A run over a whole reader.
pub(crate) struct Batch {
    pub(crate) walk: Walk,
    pub(crate) leading: Leading,
    /// Batches that the worker has not consumed yet.
    pub(crate) in_flight: usize,
    /// The worker has the execution open.
    pub(crate) opened: bool,
    /// Stands in the engine's queue of readers.
    pub(crate) queued: bool,
    /// Keys to ask the host for at once: fewer when values are large.
    pub(crate) scan_count: usize,
}

/// Why an execution is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Asked,
    TimedOut {
        after_ms: u64,
    },
    /// It used too much processor time.
    Computed {
        max_ms: u64,
    },
    /// The client that waited for it is gone.
    Deserted,
    /// Its results take more than function-results-bytes.
    Overflowed {
        bytes_max: u64,
    },
    /// It had the data to itself for too long.
    Held {
        max_ms: i64,
    },
}

impl Stop {
    /// Its text where a script body is stopped.
    pub(crate) fn of_a_script(self) -> String {
        self.to_string().replacen("execution", "script", 1)
    }

    /// Who or what asked for it.
    pub(crate) fn asker(self) -> &'static str {
        match self {
            Stop::Asked => "RG.ABORTEXECUTION",
            Stop::TimedOut { .. } => "function-timeout-ms",
            Stop::Computed { .. } => "function-cpu-ms",
            Stop::Deserted => "function-kill-on-disconnect",
            Stop::Overflowed { .. } => "function-results-bytes",
            Stop::Held { .. } => "atomic-max-ms",
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Asked => f.write_str("execution was stopped by RG.ABORTEXECUTION"),
            Stop::Overflowed { bytes_max } => {
                write!(
                    f,
                    "execution was stopped: its results exceed function-results-bytes ({bytes_max})"
                )
            }
            Stop::Held { max_ms } => {
                write!(
                    f,
                    "execution was stopped: the data was held longer than atomic-max-ms ({max_ms})"
                )
            }
            Stop::Computed { max_ms } => {
                write!(
                    f,
                    "execution was stopped: it used more processor time than function-cpu-ms ({max_ms})"
                )
            }
            Stop::Deserted => f.write_str(
                "execution was stopped: its client is gone (function-kill-on-disconnect)",
            ),
            Stop::TimedOut { after_ms } => {
                write!(
                    f,
                    "execution was stopped: it ran longer than function-timeout-ms ({after_ms})"
                )
            }
        }
    }
}

/// A client that waits for an execution which is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// RG.GETRESULTSBLOCKING
    ForResults(ClientId),
    /// RG.ABORTEXECUTION
    ForEnd(ClientId),
}

impl Waiting {
    pub(crate) fn client(self) -> ClientId {
        match self {
            Waiting::ForResults(client) | Waiting::ForEnd(client) => client,
        }
    }
}

pub(crate) struct Execution {
    pub(crate) session: SessionNumber,
    pub(crate) function: FunctionId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) origin: Origin,
    pub(crate) status: Status,
    pub(crate) input: Input,
    /// The client whose command this is, while it waits.
    pub(crate) client: Option<ClientId>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) results: Vec<Argument>,
    pub(crate) results_bytes: u64,
    pub(crate) errors: Vec<String>,
    pub(crate) stop: Option<Stop>,
    /// Its worker died while it ran, and it is to run once more.
    pub(crate) was_interrupted: bool,
    /// MaxExecutions pushed it out of the list: it goes as soon as it is over.
    pub(crate) evicted: bool,
    /// How many executions have led to it.
    pub(crate) links: u32,
    /// When what caused it was seen, on the host's monotonic clock; 0 before that is known.
    pub(crate) arrived_us: u64,
    /// When a thread took it up, on the host's monotonic clock.
    pub(crate) started_us: Option<u64>,
    pub(crate) total_us: u64,
    pub(crate) read_us: u64,
    /// Of the last steps, where ProfileExecutions says so: the first ones may run in the engine.
    pub(crate) step_us: Box<[u64]>,
}

impl Execution {
    pub(crate) fn new(
        session: SessionNumber,
        function: FunctionId,
        plan: Arc<Plan>,
        origin: Origin,
        input: Input,
    ) -> Self {
        Execution {
            session,
            function,
            plan,
            origin,
            status: Status::Created,
            input,
            client: None,
            waiting: Vec::new(),
            results: Vec::new(),
            results_bytes: 0,
            errors: Vec::new(),
            stop: None,
            was_interrupted: false,
            evicted: false,
            links: 0,
            arrived_us: 0,
            started_us: None,
            total_us: 0,
            read_us: 0,
            step_us: Box::default(),
        }
    }

    pub(crate) fn of_registration(
        number: RegistrationNumber,
        registration: &Registration,
        input: Input,
    ) -> Self {
        let plan = registration.plan.clone();
        let origin = Origin::Registration(number);
        Execution::new(registration.session, registration.function, plan, origin, input)
    }

    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.origin, Origin::Registration(_))
    }

    /// As clients see it: what waits in the worker for a thread waits.
    pub(crate) fn shown_status(&self) -> Status {
        match self.status {
            Status::Running if self.started_us.is_none() => Status::Created,
            status => status,
        }
    }

    pub(crate) fn batch(&mut self) -> Option<&mut Batch> {
        match &mut self.input {
            Input::Batch(batch) => Some(batch),
            _ => None,
        }
    }
}

/// Arguments in one allocation: tens of thousands of triggers may wait.
#[derive(Default)]
pub(crate) struct Arguments {
    packed: Box<[u8]>,
}

impl Arguments {
    pub(crate) fn pack(args: &[&[u8]]) -> Self {
        let bytes = args.iter().map(|arg| size_of::<u32>() + arg.len()).sum();
        let mut packed = Vec::with_capacity(bytes);
        for arg in args {
            let length = u32::try_from(arg.len()).expect("a request's argument is at most 512 MB");
            packed.extend_from_slice(&length.to_ne_bytes());
            packed.extend_from_slice(arg);
        }
        Arguments { packed: packed.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let (arg, tail) = tail.split_at(u32::from_ne_bytes(*length) as usize);
            rest = tail;
            Some(arg)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_arguments_come_out_as_they_went_in() {
        let args: [&[u8]; 3] = [b"name", b"", b"\0\xff"];
        assert_eq!(Arguments::pack(&args).iter().collect::<Vec<_>>(), args);
    }

    #[test]
    fn an_execution_that_waits_stays_small() {
        assert!(size_of::<Execution>() <= 256, "{}", size_of::<Execution>());
    }
}
