//! Stands where the host's event loop and the engine would: polls every descriptor and keeps what came.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use functions::host::Level;
use functions::plan::{Argument, Plan};
use functions::worker::{
    ExecutionId, FromWorker, FunctionId, SessionSpec, Token, WorkerId, Workers,
};
use worker::{Change, Environment, Packages, Pool, PoolSpec};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Driver {
    pub(crate) pool: Pool,
    tokens: BTreeSet<u64>,
    mail: VecDeque<(WorkerId, FromWorker)>,
    pub(crate) printed: Vec<String>,
    /// The levels of the lines that sessions printed.
    pub(crate) levels: Vec<Level>,
    executions: u64,
    started: Instant,
}

/// What an execution gave until it was over.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<Argument>,
    pub(crate) errors: Vec<String>,
    pub(crate) satisfied: bool,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Self::with("python3".into())
    }

    pub(crate) fn with(interpreter: OsString) -> Self {
        Self::installing(vec![interpreter], Packages::default())
    }

    pub(crate) fn installing(interpreters: Vec<OsString>, packages: Packages) -> Self {
        Driver {
            pool: Pool::new(PoolSpec {
                interpreters,
                warm: 2,
                packages,
                environment: Environment::default(),
                mailboxes: true,
            }),
            tokens: BTreeSet::new(),
            mail: VecDeque::new(),
            printed: Vec::new(),
            levels: Vec::new(),
            executions: 0,
            started: Instant::now(),
        }
    }

    pub(crate) fn session(&mut self) -> WorkerId {
        self.pool.start(&SessionSpec { name: "test".into(), threads: 3, ..SessionSpec::default() })
    }

    /// Serves every descriptor once.
    pub(crate) fn pump(&mut self) {
        self.pool.flush(self.started.elapsed().as_millis() as i64);
        for change in self.pool.take_changes() {
            match change {
                Change::Watch { token, .. } => _ = self.tokens.insert(token),
                Change::Modify { .. } => {}
                Change::Forget { token, .. } => _ = self.tokens.remove(&token),
            }
        }
        let (mail, printed, levels) = (&mut self.mail, &mut self.printed, &mut self.levels);
        let mut sink = |worker, message| match message {
            FromWorker::Log { level, message } => {
                levels.push(level);
                printed.push(message);
            }
            message => mail.push_back((worker, message)),
        };
        for token in &self.tokens {
            self.pool.ready(*token, &mut sink);
        }
        self.pool.overdue(&mut sink);
        self.pool.look(&mut sink);
        self.pool.close_mail();
        self.printed.extend(self.pool.take_log().map(|(_, line)| line));
    }

    /// The next message of a worker; log lines are kept apart.
    pub(crate) fn next(&mut self, worker: WorkerId) -> FromWorker {
        self.next_within(worker, PATIENCE)
            .unwrap_or_else(|| panic!("nothing came; printed: {:#?}", self.printed))
    }

    pub(crate) fn next_within(
        &mut self,
        worker: WorkerId,
        patience: Duration,
    ) -> Option<FromWorker> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.mail.iter().position(|(from, _)| *from == worker) {
                return self.mail.remove(at).map(|(_, message)| message);
            }
            if Instant::now() > deadline {
                return None;
            }
            self.pump();
            if self.mail.is_empty() {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// The process behind a worker, once its start has been told.
    pub(crate) fn pid(&mut self, worker: WorkerId) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(usage) = self.pool.usage(worker) {
                return usage.pid;
            }
            assert!(Instant::now() < deadline, "no process");
            self.pump();
        }
    }

    /// Runs a script that calls nothing; its error, if any.
    pub(crate) fn script(&mut self, worker: WorkerId, code: &str) -> Option<String> {
        self.pool.script(worker, code.as_bytes());
        match self.next(worker) {
            FromWorker::ScriptDone { error } => error,
            other => panic!("{other:?}; printed: {:#?}", self.printed),
        }
    }

    /// Runs a script with one register() or run(); answers it, and gives what was described.
    pub(crate) fn described(
        &mut self,
        worker: WorkerId,
        code: &str,
    ) -> (FunctionId, Plan, Vec<u8>) {
        self.pool.script(worker, code.as_bytes());
        let (token, function, plan, pickle) = match self.next(worker) {
            FromWorker::Register { token, function, plan, pickle, .. } => {
                (token, function, plan, pickle)
            }
            FromWorker::Run { token, function, plan, .. } => (token, function, plan, Vec::new()),
            other => panic!("{other:?}"),
        };
        self.answer(worker, token, Argument::Text("0-1".into()));
        assert!(matches!(self.next(worker), FromWorker::ScriptDone { error: None }));
        (function, plan, pickle)
    }

    pub(crate) fn answer(&mut self, worker: WorkerId, token: Token, value: Argument) {
        self.pool.answer(worker, token, Ok(value));
    }

    pub(crate) fn execution(&mut self) -> ExecutionId {
        self.executions += 1;
        ExecutionId(self.executions)
    }

    /// Invokes a function with one command record.
    pub(crate) fn invoke(
        &mut self,
        worker: WorkerId,
        function: FunctionId,
        args: &[&[u8]],
    ) -> ExecutionId {
        let execution = self.execution();
        self.pool.invoke(worker, execution, function, &mut |records| {
            records.command(&mut args.iter().copied())
        });
        execution
    }

    pub(crate) fn call(
        &mut self,
        worker: WorkerId,
        function: FunctionId,
        args: &[&[u8]],
    ) -> Outcome {
        let execution = self.invoke(worker, function, args);
        self.outcome(worker, execution)
    }

    pub(crate) fn outcome(&mut self, worker: WorkerId, wanted: ExecutionId) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            match self.next(worker) {
                FromWorker::Progress { execution, records, errors, satisfied, done, .. }
                    if execution == wanted =>
                {
                    outcome.records.extend(records);
                    outcome.errors.extend(errors);
                    outcome.satisfied |= satisfied;
                    if done {
                        return outcome;
                    }
                }
                other => panic!("{other:?}; printed: {:#?}", self.printed),
            }
        }
    }
}

pub(crate) fn text(text: &str) -> Argument {
    Argument::Text(text.into())
}

/// For a behaviour that holds for every interpreter.
pub(crate) fn everywhere(test: impl Fn(&mut Driver)) {
    for interpreter in interpreters() {
        eprintln!("with {}", interpreter.display());
        test(&mut Driver::with(interpreter));
    }
}

/// python3, and whatever other supported versions this machine has.
pub(crate) fn interpreters() -> Vec<OsString> {
    let mut found = vec![OsString::from("python3")];
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    let Some(versions) = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok()) else {
        return found;
    };
    for version in versions.flatten() {
        let supported = version
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("3."))
            .and_then(|rest| rest.split('.').next())
            .and_then(|minor| minor.parse().ok())
            .is_some_and(|minor: u32| (8..=14).contains(&minor));
        let python = version.path().join("bin/python3");
        if supported && python.exists() {
            found.push(python.into());
        }
    }
    found
}
