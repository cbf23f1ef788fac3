//! The engine as its host sees it: commands, events and messages go in; replies and calls of workers come out.
//!
//! # The life of a function
//!
//! 1. RG.PYEXECUTE begins a session: a worker takes the script (`commands/pyexecute`, `session`).
//! 2. `run()` and `register()` arrive as messages while the script runs; they are checked and put aside
//!    (`registrations/accept`, `requests`).
//! 3. The script ends: registrations take effect, the run starts (`session`).
//! 4. A run reads in slices that `work` grants (`execution/reading`); steps that need no Python happen on the way
//!    (`operators`), the others in the worker.
//! 5. An event, a stream entry or RG.TRIGGER starts an execution of a registration (`registrations/dispatch`).
//! 6. An execution ends in one place, whatever ended it (`execution/life`): statistics, replies, what is kept.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use resp::{Protocol, ReplyWriter};

use crate::calls::FunctionCall;
use crate::config::Config;
use crate::deadlines::Due;
use crate::execution::{Execution, Status};
use crate::host::{ClientId, EventInterest, Host, RemovalInterest};
use crate::identifier::{Identifiers, RegistrationNumber};
use crate::inside::Insides;
use crate::lease::Leases;
use crate::profiling::Profiles;
use crate::registrations::{
    Causes, EventNames, Happening, Registrations, Statistics, StreamSearch,
};
use crate::requirements::Requirements;
use crate::session::Sessions;
use crate::worker::{ExecutionId, FromWorker, Token, WorkerId, Workers};

/// Both doors, lent for one call.
pub struct Doors<'a> {
    pub host: &'a mut dyn Host,
    pub workers: &'a mut dyn Workers,
}

/// Whether a command has been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The reply is written.
    Ready,
    /// The reply comes through [`Host::reply`].
    Later,
    /// A function runs inside the command: see [`Engine::begin_inside`] and [`Engine::look_inside`].
    Inside(ExecutionId),
}

pub struct Engine {
    pub(crate) config: Config,
    pub(crate) identifiers: Identifiers,
    pub(crate) sessions: Sessions,
    pub(crate) requirements: Requirements,
    pub(crate) registrations: Registrations,
    /// In the order of their creation.
    pub(crate) executions: BTreeMap<ExecutionId, Execution>,
    /// Those that MaxExecutions counts.
    pub(crate) listed: BTreeSet<ExecutionId>,
    /// Executions that have something to read, in turn.
    pub(crate) reading: VecDeque<ExecutionId>,
    /// Registrations that have something to start, in turn.
    pub(crate) ready: VecDeque<RegistrationNumber>,
    /// Walks for streams that are there already.
    pub(crate) searches: VecDeque<StreamSearch>,
    /// Executions of registrations that wait.
    pub(crate) queued: usize,
    pub(crate) deadlines: BTreeSet<(i64, Due)>,
    /// A look at the limits is among the deadlines.
    pub(crate) watches_limits: bool,
    pub(crate) leases: Leases,
    /// Functions inside commands.
    pub(crate) insides: Insides,
    /// What functions call, until the host runs it.
    pub(crate) calls: VecDeque<FunctionCall>,
    /// Calls that the host lets wait for their reply.
    pub(crate) waiting_calls: HashMap<(WorkerId, Token), Option<ExecutionId>>,
    pub(crate) causes: Causes,
    /// How executions fared that no registration started.
    pub(crate) runs: Statistics,
    pub(crate) profiles: Profiles,
    /// The keyspace event that is being handed in.
    pub(crate) happening: Option<Happening>,
    pub(crate) event_names: EventNames,
    /// Scratch of `key_event`.
    pub(crate) concerned: Vec<RegistrationNumber>,
    /// Scratch for replies.
    pub(crate) wire: Vec<u8>,
    pub(crate) interest: EventInterest,
    removal_interest: Vec<RemovalInterest>,
    /// What removed keys held that functions still need takes so much.
    pub(crate) removed_bytes: Rc<Cell<usize>>,
    /// The host minds some commands.
    watches_commands: bool,
    /// This process's name for RG.HELLO, once asked for.
    pub(crate) run_id: Option<String>,
    pub(crate) memory: crate::commands::MemoryAccount,
}

impl Engine {
    pub fn new(config: Config) -> Engine {
        Engine {
            config,
            identifiers: Identifiers::new(),
            sessions: Sessions::default(),
            requirements: Requirements::default(),
            registrations: Registrations::default(),
            executions: BTreeMap::new(),
            listed: BTreeSet::new(),
            reading: VecDeque::new(),
            ready: VecDeque::new(),
            searches: VecDeque::new(),
            queued: 0,
            deadlines: BTreeSet::new(),
            watches_limits: false,
            leases: Leases::default(),
            insides: Insides::default(),
            calls: VecDeque::new(),
            waiting_calls: HashMap::new(),
            causes: Causes::default(),
            runs: Statistics::default(),
            profiles: Profiles::default(),
            happening: None,
            event_names: EventNames::default(),
            concerned: Vec::new(),
            wire: Vec::new(),
            interest: EventInterest::default(),
            removal_interest: Vec::new(),
            removed_bytes: Rc::default(),
            watches_commands: false,
            run_id: None,
            memory: Default::default(),
        }
    }

    /// Messages of a worker. Those of one that is gone are dropped. Afterwards [`Engine::next_call`] may have calls.
    pub fn from_worker(&mut self, doors: &mut Doors, worker: WorkerId, message: FromWorker) {
        if let FromWorker::Prepared(outcome) = message {
            return self.prepared(doors, worker, outcome);
        }
        let Some(session) = self.sessions.by_worker.get(&worker).copied() else { return };
        match message {
            FromWorker::Prepared(_) => {}
            FromWorker::Progress {
                execution,
                records,
                errors,
                satisfied,
                done,
                consumed,
                busy_us: _,
            } => {
                // What a worker says of executions that it does not have is not heard.
                let is_its_own = self.executions.get(&execution).is_some_and(|known| {
                    known.session == session && known.status == Status::Running
                });
                if is_its_own {
                    let wants_more = !satisfied && errors.is_empty();
                    self.progress(doors, execution, records, errors, consumed);
                    if done {
                        self.finish(doors, execution, Status::Done);
                    } else {
                        self.read_on(doors, execution, wants_more);
                    }
                }
            }
            FromWorker::ScriptDone { error } => self.script_done(doors, session, error),
            FromWorker::Run { token, function, plan, kwargs } => {
                let answer = self.requested_run(doors, session, function, plan, &kwargs);
                doors.workers.answer(worker, token, answer);
            }
            FromWorker::Register { token, function, plan, kwargs, pickle } => {
                let answer =
                    self.requested_registration(doors, session, function, plan, &kwargs, pickle);
                doors.workers.answer(worker, token, answer);
            }
            FromWorker::Loaded { error } => self.loaded(doors, session, error),
            FromWorker::Suspended { execution } => {
                if self.executions.get(&execution).is_some_and(|known| known.session == session) {
                    self.suspended(doors, execution);
                }
            }
            FromWorker::Execute { token, execution, args } => {
                self.requested_command(doors, worker, token, execution, args);
            }
            FromWorker::CallNext { token, execution, args } => {
                self.requested_next(doors, worker, token, execution, args);
            }
            FromWorker::GetCommand { token, execution } => {
                self.requested_cause(doors, worker, token, execution);
            }
            FromWorker::OverrideReply { token, execution, value } => {
                let answer = self.requested_override(execution, &value);
                doors.workers.answer(worker, token, answer);
            }
            FromWorker::TimeEvent { token, number, period_s } => {
                let answer = self.requested_time_event(doors, session, worker, number, period_s);
                doors.workers.answer(worker, token, answer);
            }
            FromWorker::AtomicBegin { token, execution } => {
                self.atomic_begin(doors, worker, token, execution);
            }
            FromWorker::AtomicEnd { token } => self.atomic_end(doors, worker, token),
            FromWorker::ConfigGet { token, key } => {
                let answer = self.requested_option(&key);
                doors.workers.answer(worker, token, Ok(answer));
            }
            FromWorker::ProfileReport { request, report } => {
                self.profile_reported(doors, worker, request, report);
            }
            FromWorker::StepDurations { execution, step_us } => {
                self.steps_measured(session, execution, step_us);
            }
            FromWorker::Log { level, message } => {
                let session = &self.sessions.by_number[&session].name;
                doors.host.log(level, &format!("GEARS: [{session}] {message}"));
            }
            FromWorker::Exited { reason } => {
                self.worker_gone(doors, session, &reason.to_string());
            }
        }
    }

    /// What the options are now, whoever has set them.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets an option while the engine runs, for a host whose own configuration has it.
    pub fn set_option(&mut self, doors: &mut Doors, name: &str, value: &str) -> Result<(), String> {
        self.config.set(name, value)?;
        // What runs already may have a limit from now on.
        self.watch_limits(doors);
        self.tell_profiling(doors);
        Ok(())
    }

    /// The client takes no reply any more. What it started goes on.
    pub fn client_gone(&mut self, client: ClientId) {
        self.requirements.client_gone(client);
        for session in self.sessions.by_number.values_mut() {
            if let Some(script) = &mut session.script
                && script.client == Some(client)
            {
                script.client = None;
            }
        }
        for execution in self.executions.values_mut() {
            if execution.client == Some(client) {
                execution.client = None;
            }
            execution.waiting.retain(|waiting| waiting.client() != client);
        }
        self.insides.client_gone(client);
        self.profiles.client_gone(client);
    }

    /// Whether `work` has something to do.
    pub fn has_work(&self) -> bool {
        self.lease().is_none()
            && !self.is_inside_a_command()
            && !(self.ready.is_empty() && self.reading.is_empty() && self.searches.is_empty())
    }

    /// Starts executions and reads for them until the budget is used up. Every kind of work has its turn.
    pub fn work(&mut self, doors: &mut Doors, budget_us: u64) {
        let end_us = doors.host.monotonic_us() + budget_us;
        while self.has_work() {
            if let Some(number) = self.ready.pop_front() {
                self.dispatch(doors, number);
            }
            if let Some(search) = self.searches.pop_front() {
                self.search_streams(doors, search);
            }
            if let Some(id) = self.reading.pop_front() {
                self.read_slice(doors, id, end_us);
            }
            if doors.host.monotonic_us() >= end_us {
                return;
            }
        }
    }

    /// Tells the host what events to hand in, when that has changed.
    pub(crate) fn tell_interest(&mut self, doors: &mut Doors) {
        let interest = self.registrations.interest();
        if interest != self.interest {
            self.interest = interest;
            doors.host.watch_events(interest);
        }
        let removals = self.registrations.removal_interest();
        if removals != self.removal_interest {
            doors.host.watch_removals(&removals);
            self.removal_interest = removals;
        }
        let (hooked, caused) = self.registrations.watched_commands();
        if self.watches_commands || !hooked.is_empty() || !caused.is_empty() {
            self.watches_commands = !hooked.is_empty() || !caused.is_empty();
            doors.host.watch_commands(&hooked, &caused);
        }
    }

    /// An execution that is known to be there.
    pub(crate) fn execution(&mut self, id: ExecutionId) -> &mut Execution {
        self.executions.get_mut(&id).expect("it was just created or found")
    }
}

/// Workers and late replies speak RESP2.
pub(crate) fn reply_to(wire: &mut Vec<u8>) -> ReplyWriter<'_> {
    ReplyWriter::new(wire, Protocol::Resp2)
}
