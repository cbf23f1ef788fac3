//! A session: what one script left behind, and the worker process in which all of it lives.
//!
//! It begins with RG.PYEXECUTE and ends when neither a registration nor an execution needs it. A session whose process
//! died gets a new one as long as it has registrations; they are re-created from what `register()` pickled.

mod needs;
mod recovery;
mod script;
mod time_events;

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::commands::random_name;
use crate::config::Key;
use crate::engine::{Doors, Engine};
use crate::host::ClientId;
use crate::identifier::RegistrationNumber;
use crate::worker::{ExecutionId, SessionSpec, WorkerId};

pub(crate) use needs::needs_of;
use recovery::Crashes;
pub(crate) use recovery::as_traceback;
use script::Script;

/// Invocations that a worker has at once. More make no larger group commits, and what waits here can still be aborted.
const WINDOW: usize = 512;

/// A session's number; never used again, while names may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionNumber(pub(crate) u64);

pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Which of the configured interpreters runs it.
    pub(crate) interpreter: usize,
    /// What its script asked to have installed.
    pub(crate) requirements: Vec<String>,
    pub(crate) process: Process,
    /// While the script body runs.
    pub(crate) script: Option<Box<Script>>,
    pub(crate) registrations: Vec<RegistrationNumber>,
    /// Invocations that the worker has, oldest first: as many of them run as there are threads, the others wait in it.
    pub(crate) order: VecDeque<ExecutionId>,
    /// Executions that do not wait for a thread of the worker: those over a whole reader, those inside a command.
    pub(crate) beside_queue: Vec<ExecutionId>,
    /// Executions that are not over, those that wait included.
    pub(crate) unfinished: usize,
    /// Callbacks that its worker wants to have called from time to time.
    pub(crate) time_events: usize,
    /// Processes after the first one, since anybody set that back.
    pub(crate) restarts: u64,
    crashes: Crashes,
}

impl Session {
    pub(crate) fn worker(&self) -> Option<WorkerId> {
        match self.process {
            Process::Running(worker) | Process::Loading { worker, .. } => Some(worker),
            Process::Gone => None,
        }
    }

    /// Takes another invocation now.
    pub(crate) fn accepts(&self) -> bool {
        matches!(self.process, Process::Running(_)) && self.order.len() < WINDOW
    }

    fn is_idle(&self) -> bool {
        self.script.is_none()
            && self.registrations.is_empty()
            && self.unfinished == 0
            && self.time_events == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    Running(WorkerId),
    /// Re-creates its functions after a crash.
    Loading {
        worker: WorkerId,
        since_us: u64,
    },
    /// Died; the next one starts when its time has come.
    Gone,
}

#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) by_number: BTreeMap<SessionNumber, Session>,
    pub(crate) by_worker: HashMap<WorkerId, SessionNumber>,
    /// Those that clients can name.
    pub(crate) by_name: BTreeMap<String, SessionNumber>,
    started: u64,
}

/// What RG.PYEXECUTE says of the session that is to begin.
#[derive(Default)]
pub(crate) struct NewSession {
    /// Without it one is drawn.
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) upgrade: bool,
    pub(crate) replace_with: Option<String>,
    pub(crate) client: Option<ClientId>,
    pub(crate) unblocking: bool,
    pub(crate) requirements: Vec<String>,
    pub(crate) code: Vec<u8>,
}

impl Engine {
    /// The session that a new one takes the place of, or why it cannot begin.
    pub(crate) fn replaced_by(&self, new: &NewSession) -> Result<Option<SessionNumber>, String> {
        let existing = new.name.as_ref().and_then(|name| self.sessions.by_name.get(name)).copied();
        let name = new.name.as_deref().unwrap_or_default();
        let replaces = match &new.replace_with {
            Some(old) if existing.is_some() => {
                return Err(format!("Can not replace an existing session {name} with {old}"));
            }
            Some(old) => {
                let found = self.sessions.by_name.get(old).copied();
                let missing = || format!("Can not replace with {old}, session does not exists.");
                Some(found.ok_or_else(missing)?)
            }
            None => existing,
        };
        if existing.is_some() && !new.upgrade {
            return Err(format!("Session {name} already exists"));
        }
        let still_runs = |number| self.sessions.by_number[number].script.is_some();
        if replaces.as_ref().is_some_and(still_runs) {
            return Err("Can not replace a session whose script is still running".into());
        }
        Ok(replaces)
    }

    pub(crate) fn begin_session(
        &mut self,
        doors: &mut Doors,
        new: NewSession,
        replaces: Option<SessionNumber>,
        interpreter: usize,
    ) {
        let number = SessionNumber(self.sessions.started);
        self.sessions.started += 1;
        let name = new.name.unwrap_or_else(|| random_name(doors.host));
        if replaces.is_none() {
            self.sessions.by_name.insert(name.clone(), number);
        }
        let worker = self.start_worker(doors, number, &name, interpreter);
        let script = Script {
            client: new.client,
            unblocking: new.unblocking,
            replaces,
            run: None,
            registrations: Vec::new(),
            started_us: doors.host.monotonic_us(),
            stop: None,
        };
        let session = Session {
            name,
            description: new.description,
            interpreter,
            requirements: new.requirements,
            process: Process::Running(worker),
            script: Some(Box::new(script)),
            registrations: Vec::new(),
            order: VecDeque::new(),
            beside_queue: Vec::new(),
            unfinished: 0,
            time_events: 0,
            restarts: 0,
            crashes: Crashes::default(),
        };
        self.sessions.by_number.insert(number, session);
        doors.workers.script(worker, &new.code);
        self.watch_limits(doors);
    }

    fn start_worker(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        name: &str,
        interpreter: usize,
    ) -> WorkerId {
        let memory = self.config.number(Key::FunctionMemoryBytes).unsigned_abs();
        let worker = doors.workers.start(&SessionSpec {
            name: name.into(),
            interpreter,
            memory_bytes_max: (memory > 0).then_some(memory),
            threads: self.config.size(Key::ExecutionThreads),
        });
        self.sessions.by_worker.insert(worker, number);
        self.tell_profiling_of(doors, worker);
        worker
    }

    pub(crate) fn end_session_if_idle(&mut self, doors: &mut Doors, number: SessionNumber) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        if !session.is_idle() {
            return;
        }
        let session = self.sessions.by_number.remove(&number).expect("it was there");
        if self.sessions.by_name.get(&session.name) == Some(&number) {
            self.sessions.by_name.remove(&session.name);
        }
        if let Some(worker) = session.worker() {
            self.sessions.by_worker.remove(&worker);
            self.account_for_end_of(doors, worker);
            doors.workers.kill(worker);
            self.take_back_from_worker(doors, worker);
            self.profiles_lost(doors, worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Stage, text};
    use crate::worker::WorkerId;

    #[test]
    fn a_worker_speaks_for_executions_of_its_own_session_only() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.command("RG.PYEXECUTE other");
        stage.done(WorkerId(1), 1, vec![text("forged")]);
        assert_eq!(stage.replies(), [""; 0]);
    }
}
