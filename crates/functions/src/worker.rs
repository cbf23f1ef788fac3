//! The engine's door to the code: Python processes, one a session.
//!
//! Sends are queued and leave together at the end of the host's turn (group commit). Nothing here blocks. The engine
//! never sees a process, a socket or a byte of the worker protocol.

use crate::host::{Level, Value};
use crate::plan::{Argument, Plan};

/// One worker process; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

/// One run of a function; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionId(pub u64);

/// A function (plan with its callbacks) that lives in a worker's session: given by the worker in the order of
/// `run()` and `register()` calls, or by the engine on [`Workers::load`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionId(pub u32);

/// A call of a worker that waits for its answer: which thread of it, and which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// What a new session may do and use.
#[derive(Clone, Debug, Default)]
pub struct SessionSpec {
    /// The session's name, for logs and process titles.
    pub name: String,
    /// Index of the interpreter among those configured.
    pub interpreter: usize,
    /// Address space the process may use beyond what a fresh worker has.
    pub memory_bytes_max: Option<u64>,
    /// How many executions may run at once (ExecutionThreads).
    pub threads: usize,
}

/// Takes records while a batch is filled; the worker's implementation writes them straight into its wire format.
pub trait RecordSink {
    /// A KeysReader record. `value`: `None` when the reader was told not to read values.
    fn key(&mut self, key: &[u8], value: Option<Value<'_>>, event: Option<&str>);
    /// The same for a key that goes.
    fn removed(&mut self, key: &[u8], value: Option<Value<'_>>, farewell: Farewell);
    /// A bare key (KeysOnlyReader).
    fn bare_key(&mut self, key: &[u8]);
    /// A StreamReader record; fields in order.
    fn stream(&mut self, key: &[u8], id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>);
    /// A CommandReader record: all arguments, the trigger's name first.
    fn command(&mut self, args: &mut dyn Iterator<Item = &[u8]>);
    /// A text record (ShardsIDReader), or any value that came from a worker before.
    fn value(&mut self, value: &Argument);
    /// Records put in so far.
    fn len(&self) -> usize;
    /// Bytes of the batch so far, so that large values make small batches.
    fn bytes(&self) -> usize {
        0
    }
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a record says of a key that goes, beside what it held.
#[derive(Clone, Copy, Debug)]
pub struct Farewell {
    pub event: &'static str,
    /// When it would have expired, or has, in Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// It held something, but too much to be kept.
    pub truncated: bool,
}

/// What a script needs before it can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The Python (major, minor) that pickled what the script brings; without it the first interpreter will do.
    pub python: Option<(u32, u32)>,
    /// pip's requirement specifiers.
    pub requirements: Vec<String>,
    /// Installs them again even if they are there.
    pub again: bool,
    /// cloudpickle would help: worth one attempt to get it.
    pub cloudpickle: bool,
}

/// A script may run now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Index of the interpreter among those configured.
    pub interpreter: usize,
    /// The requirements that were asked for.
    pub installed: Vec<Installed>,
}

/// A requirement that sessions can import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub requirement: String,
    /// Where it lies; each installation has a place of its own.
    pub path: String,
    /// The files it was made from, those of its dependencies included.
    pub wheels: Vec<String>,
}

pub enum Preparing {
    Ready(Prepared),
    /// [`FromWorker::Prepared`] comes from this one, which is no session.
    Waiting(WorkerId),
}

/// The worker side of the engine.
pub trait Workers {
    /// Finds the interpreter and installs what is missing, beside the server and never into the system.
    fn prepare(&mut self, needs: &Needs) -> Preparing;

    /// Takes a warm process for a session. A failure to start arrives as [`FromWorker::Exited`].
    fn start(&mut self, spec: &SessionSpec) -> WorkerId;

    /// Runs a script body in the session.
    fn script(&mut self, worker: WorkerId, code: &[u8]);

    /// Re-creates functions from what `register()` pickled, after a crash.
    fn load(&mut self, worker: WorkerId, functions: &[(FunctionId, &[u8])]);

    /// Opens an execution: the steps of `function` from `first_step` on run in the worker, their state included.
    /// With `source` the worker also produces the records (PythonReader): it needs no feeding.
    fn open(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        first_step: usize,
        source: Source,
    );

    /// Sends a batch; `last` tells that none follows. `fill` is called once, before `feed` returns.
    fn feed(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        last: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    );

    /// Opens an execution, feeds it one batch and closes it in one message: triggers and key events.
    fn invoke(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    );

    /// The same for a function inside a command: a thread takes it up whatever the others do. With `may_suspend` the
    /// worker tells [`FromWorker::Suspended`] should the function wait for a future or coroutine; without, it may not.
    fn invoke_inside(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        may_suspend: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    );

    /// Hands the outcome of a `run()` in a step to the session that asked for it.
    fn hand_back(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        results: &[Argument],
        errors: &[String],
    );

    /// Raises the forced stop in the thread that runs the execution, again and again until it ends.
    fn abort(&mut self, worker: WorkerId, execution: ExecutionId);

    /// The same for the thread that runs the script body.
    fn abort_script(&mut self, worker: WorkerId);

    /// A time event of the session is due.
    fn time_event(&mut self, worker: WorkerId, number: u32);

    /// Answers a call that waits. `wire` is one RESP2 reply; the worker gets it as Python values.
    fn answer_wire(&mut self, worker: WorkerId, token: Token, wire: &[u8]);

    /// Answers a call that waits with a plain value, or makes it raise.
    fn answer(&mut self, worker: WorkerId, token: Token, answer: Result<Argument, String>);

    /// Tells the session that a function is not needed any more.
    fn forget(&mut self, worker: WorkerId, function: FunctionId);

    /// Tells a session what to do about measuring its callbacks.
    fn profile(&mut self, worker: WorkerId, what: Profiling<'_>);

    /// Ends a session: its process gets SIGKILL and is reaped. Idempotent.
    fn kill(&mut self, worker: WorkerId);

    /// Process figures for INFO and statistics; `None` once the process is gone.
    fn usage(&self, worker: WorkerId) -> Option<Usage>;

    /// The memory that ends with a worker's process: what it shares with others not counted. Asking takes the kernel a while;
    /// `None` once the process is gone, or where the kernel does not tell.
    fn private_bytes(&self, _worker: WorkerId) -> Option<u64> {
        None
    }

    /// The figures of all processes together, those that wait for a session included.
    fn usage_total(&self) -> Usage {
        Usage::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The engine feeds batches.
    Fed,
    /// The function's own reader callback, in the worker.
    Callback,
}

/// What a session does about measuring its callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profiling<'a> {
    On,
    Off,
    /// Forgets what was measured.
    Reset,
    /// To be answered with [`FromWorker::ProfileReport`]; `order` as Python's `pstats` names it.
    Report {
        request: u64,
        order: Option<&'a str>,
    },
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub pid: u32,
    pub rss_bytes: u64,
    pub cpu_us: u64,
}

/// What the host hands to `Engine::from_worker`.
#[derive(Debug)]
pub enum FromWorker {
    /// The script body ended; `error` in RedisGears' text form (the repr of a list of strings).
    ScriptDone {
        error: Option<String>,
    },
    /// `run()`: `arg` and `kwargs` as given. In a script body and in steps alike; answered with an execution id or an error.
    Run {
        token: Token,
        function: FunctionId,
        plan: Plan,
        kwargs: Vec<(String, Argument)>,
    },
    /// `register()`: the callbacks' pickle for re-hydration goes along; answered with the registration id or an error.
    Register {
        token: Token,
        function: FunctionId,
        plan: Plan,
        kwargs: Vec<(String, Argument)>,
        pickle: Vec<u8>,
    },
    /// Functions given to `load` are there, or not.
    Loaded {
        error: Option<String>,
    },
    /// Results and errors of an execution since its last message.
    Progress {
        execution: ExecutionId,
        records: Vec<Argument>,
        errors: Vec<String>,
        /// No batch is wanted any more (limit reached, or an error stopped the reader).
        satisfied: bool,
        /// The execution is over.
        done: bool,
        /// Batches consumed since the last message: the engine keeps a few in flight.
        consumed: usize,
        /// Microseconds spent in callbacks.
        busy_us: u64,
    },
    /// The thread of a function inside a command has left it before it was over.
    Suspended {
        execution: ExecutionId,
    },
    /// `execute()`: to be answered with the reply. `execution` is the one whose thread calls, if any.
    Execute {
        token: Token,
        execution: Option<ExecutionId>,
        args: Vec<Vec<u8>>,
    },
    /// `call_next()` of a hook: the arguments without the command's name.
    CallNext {
        token: Token,
        execution: Option<ExecutionId>,
        args: Vec<Vec<u8>>,
    },
    /// `get_command()`.
    GetCommand {
        token: Token,
        execution: Option<ExecutionId>,
    },
    /// `override_reply()`.
    OverrideReply {
        token: Token,
        execution: Option<ExecutionId>,
        value: Argument,
    },
    /// `registerTE()`: the worker gives the time event its number.
    TimeEvent {
        token: Token,
        number: u32,
        period_s: u64,
    },
    /// `with atomic():` wants the data thread; answered when it has it.
    AtomicBegin {
        token: Token,
        execution: Option<ExecutionId>,
    },
    AtomicEnd {
        token: Token,
    },
    /// `configGet()`.
    ConfigGet {
        token: Token,
        key: String,
    },
    /// What [`Profiling::Report`] asked for.
    ProfileReport {
        request: u64,
        report: Result<String, String>,
    },
    /// What the callbacks of an execution's steps took, from the first step in the worker to the last. Comes before its end.
    StepDurations {
        execution: ExecutionId,
        step_us: Vec<u64>,
    },
    Log {
        level: Level,
        message: String,
    },
    /// What [`Workers::prepare`] began has ended; an error is what to tell the client, one line or more.
    Prepared(Result<Prepared, Vec<String>>),
    /// The process is gone. The last message of a worker, always sent, unless the engine killed it.
    Exited {
        reason: ExitReason,
    },
}

impl FromWorker {
    /// By which the answer to this message is named, if the worker wants one.
    pub fn token(&self) -> Option<Token> {
        match self {
            FromWorker::Run { token, .. }
            | FromWorker::Register { token, .. }
            | FromWorker::Execute { token, .. }
            | FromWorker::CallNext { token, .. }
            | FromWorker::GetCommand { token, .. }
            | FromWorker::OverrideReply { token, .. }
            | FromWorker::TimeEvent { token, .. }
            | FromWorker::AtomicBegin { token, .. }
            | FromWorker::AtomicEnd { token, .. }
            | FromWorker::ConfigGet { token, .. } => Some(*token),
            FromWorker::ScriptDone { .. }
            | FromWorker::Loaded { .. }
            | FromWorker::Progress { .. }
            | FromWorker::Suspended { .. }
            | FromWorker::Log { .. }
            | FromWorker::ProfileReport { .. }
            | FromWorker::StepDurations { .. }
            | FromWorker::Prepared(_)
            | FromWorker::Exited { .. } => None,
        }
    }
}

/// Why a worker process ended, said so that a caller understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The interpreter could not be started.
    NotStarted(String),
    Code(i32),
    Signal(i32),
    /// The process broke the worker protocol (and was killed).
    Protocol(String),
}

impl std::fmt::Display for ExitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExitReason::NotStarted(why) => write!(f, "worker could not be started: {why}"),
            ExitReason::Code(code) => write!(f, "worker exited with code {code}"),
            ExitReason::Signal(signal) => write!(f, "worker was ended by {}", signal_name(*signal)),
            ExitReason::Protocol(why) => write!(f, "worker broke the protocol: {why}"),
        }
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        4 => "SIGILL".into(),
        6 => "SIGABRT".into(),
        7 => "SIGBUS".into(),
        8 => "SIGFPE".into(),
        9 => "SIGKILL".into(),
        11 => "SIGSEGV (segmentation fault)".into(),
        15 => "SIGTERM".into(),
        other => format!("signal {other}"),
    }
}
