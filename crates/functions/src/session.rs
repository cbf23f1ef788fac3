//! A session: what one script left behind, and the worker process in which all of it lives.
//!
//! It begins with RG.PYEXECUTE and ends when neither a registration nor an execution needs it. A session whose process
//! died gets a new one as long as it has registrations; they are re-created from what `register()` pickled.

use std::collections::{BTreeMap, HashMap, VecDeque};

use resp::ReplyWriter;

use crate::config::Key;
use crate::deadlines::Due;
use crate::engine::{Doors, Engine, reply_to};
use crate::execution::{Origin, Status, Stop};
use crate::host::{ClientId, Level};
use crate::identifier::RegistrationNumber;
use crate::registrations::dispatch::Pending;
use crate::registrations::{Registration, Trigger};
use crate::worker::{ExecutionId, FunctionId, SessionSpec, WorkerId};

/// Invocations that a worker has at once. More make no larger group commits, and what waits here can still be aborted.
const WINDOW: usize = 512;

/// Crashes count together while they come closer than this.
const CRASH_MEMORY_MS: i64 = 60_000;
const RESTART_DELAY_MS_MAX: i64 = 30_000;

/// A session's number; never used again, while names may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionNumber(pub(crate) u64);

pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) process: Process,
    /// While the script body runs.
    pub(crate) script: Option<Box<Script>>,
    pub(crate) registrations: Vec<RegistrationNumber>,
    /// Invocations that the worker has, oldest first: as many of them run as there are threads, the others wait in it.
    pub(crate) order: VecDeque<ExecutionId>,
    /// Executions over a whole reader that run.
    pub(crate) batches: Vec<ExecutionId>,
    /// Executions that are not over, those that wait included.
    pub(crate) unfinished: usize,
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
        self.script.is_none() && self.registrations.is_empty() && self.unfinished == 0
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

/// A script body that runs, and what it asked for so far. All of it takes effect at its end, or none.
pub(crate) struct Script {
    pub(crate) client: Option<ClientId>,
    pub(crate) unblocking: bool,
    /// The session that this one takes the place of.
    pub(crate) replaces: Option<SessionNumber>,
    pub(crate) run: Option<ExecutionId>,
    pub(crate) registrations: Vec<(RegistrationNumber, Registration)>,
    pub(crate) started_us: u64,
}

/// Restarts at once after the first crash, then ever more slowly.
#[derive(Default)]
struct Crashes {
    recent: u32,
    last_ms: i64,
}

impl Crashes {
    fn delay_ms(&mut self, now_ms: i64) -> i64 {
        if now_ms - self.last_ms > CRASH_MEMORY_MS {
            self.recent = 0;
        }
        self.last_ms = now_ms;
        self.recent += 1;
        match self.recent {
            1 => 0,
            more => (100 << (more - 2).min(20)).min(RESTART_DELAY_MS_MAX),
        }
    }
}

#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) by_number: BTreeMap<SessionNumber, Session>,
    pub(crate) by_worker: HashMap<WorkerId, SessionNumber>,
    /// Those that clients can name.
    pub(crate) by_name: BTreeMap<String, SessionNumber>,
    started: u64,
}

/// What RG.PYEXECUTE says of the session it begins.
pub(crate) struct NewSession<'a> {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) replaces: Option<SessionNumber>,
    pub(crate) client: ClientId,
    pub(crate) unblocking: bool,
    pub(crate) code: &'a [u8],
}

impl Engine {
    pub(crate) fn begin_session(&mut self, doors: &mut Doors, new: NewSession) {
        let number = SessionNumber(self.sessions.started);
        self.sessions.started += 1;
        if new.replaces.is_none() {
            self.sessions.by_name.insert(new.name.clone(), number);
        }
        let worker = self.start_worker(doors, number, &new.name);
        let script = Script {
            client: Some(new.client),
            unblocking: new.unblocking,
            replaces: new.replaces,
            run: None,
            registrations: Vec::new(),
            started_us: doors.host.monotonic_us(),
        };
        let session = Session {
            name: new.name,
            description: new.description,
            process: Process::Running(worker),
            script: Some(Box::new(script)),
            registrations: Vec::new(),
            order: VecDeque::new(),
            batches: Vec::new(),
            unfinished: 0,
            crashes: Crashes::default(),
        };
        self.sessions.by_number.insert(number, session);
        doors.workers.script(worker, new.code);
        self.watch_limits(doors);
    }

    fn start_worker(&mut self, doors: &mut Doors, number: SessionNumber, name: &str) -> WorkerId {
        let memory = self.config.number(Key::FunctionMemoryBytes).unsigned_abs();
        let worker = doors.workers.start(&SessionSpec {
            name: name.into(),
            interpreter: 0,
            memory_bytes_max: (memory > 0).then_some(memory),
            threads: self.config.size(Key::ExecutionThreads),
        });
        self.sessions.by_worker.insert(worker, number);
        worker
    }

    /// The script body ended: what it asked for takes effect, and its client gets an answer.
    pub(crate) fn script_done(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        error: Option<String>,
    ) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        let Some(mut script) = session.script.take() else { return };
        let mut wire = Vec::new();
        let mut reply = reply_to(&mut wire);

        let conflicts = self.conflicts(&script);
        if let Some(error) = error {
            reply.error(error.as_bytes());
            self.discard(&script);
        } else if !conflicts.is_empty() {
            reply.array(conflicts.len());
            conflicts.iter().for_each(|conflict| reply.error(conflict.as_bytes()));
            self.discard(&script);
        } else {
            self.apply(doors, number, &mut script, &mut reply);
        }
        if let Some(client) = script.client.filter(|_| !wire.is_empty()) {
            doors.host.reply(client, &wire);
        }
        if let Some(run) = script.run
            && self.executions.contains_key(&run)
        {
            self.start_batch(doors, run);
        }
        self.end_session_if_idle(doors, number);
    }

    /// Another script may have taken a trigger's name while this one ran.
    fn conflicts(&self, script: &Script) -> Vec<String> {
        let taken = |registration: &Registration| match &registration.trigger {
            Trigger::Command(trigger) => self.is_trigger_taken(&trigger.name, script.replaces),
            Trigger::Keys(_) | Trigger::Stream(_) => false,
        };
        let conflicts = script.registrations.iter().filter(|(_, registration)| taken(registration));
        let text = format!("-ERR shard-{}: trigger already registered", self.identifiers.node());
        conflicts.map(|_| text.clone()).collect()
    }

    pub(crate) fn is_trigger_taken(&self, name: &[u8], replaced: Option<SessionNumber>) -> bool {
        let owner = self.registrations.triggered_by(name);
        owner.is_some_and(|owner| Some(self.registrations.by_number[&owner].session) != replaced)
    }

    fn apply(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        script: &mut Script,
        reply: &mut ReplyWriter,
    ) {
        if let Some(replaced) = script.replaces {
            self.retire_session(doors, replaced);
            let name = self.sessions.by_number[&number].name.clone();
            // Another upgrade may have been quicker: the last one stays.
            if let Some(other) = self.sessions.by_name.get(&name) {
                self.retire_session(doors, *other);
            }
            self.sessions.by_name.insert(name, number);
        }
        let registers = !script.registrations.is_empty();
        for (registration_number, registration) in script.registrations.drain(..) {
            self.add_registration(doors, registration_number, registration);
        }
        if registers {
            self.identifiers.count_management();
        }

        match script.run {
            Some(run) if !self.executions.contains_key(&run) => {
                // Somebody stopped it before it began.
                reply.array(2);
                reply.array(0);
                reply.array(1);
                reply.text(&Stop::Asked.to_string());
            }
            Some(run) if registers || script.unblocking => {
                self.execution(run).origin = Origin::Unblocking;
                if registers {
                    reply.ok();
                } else {
                    reply.text(&self.identifiers.text(run.0));
                }
            }
            // The answer comes when the execution is over.
            Some(run) => self.execution(run).client = script.client,
            None => reply.ok(),
        }
    }

    pub(crate) fn add_registration(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        registration: Registration,
    ) {
        let is_stream = matches!(registration.trigger, Trigger::Stream(_));
        if let Some(session) = self.sessions.by_number.get_mut(&registration.session) {
            session.registrations.push(number);
        }
        self.registrations.insert(number, registration);
        self.tell_interest(doors);
        if is_stream {
            self.follow_streams(number);
        }
    }

    /// Nothing of what the script asked for happens.
    fn discard(&mut self, script: &Script) {
        if let Some(run) = script.run
            && let Some(execution) = self.executions.get(&run)
        {
            let session = execution.session;
            self.forget_execution(run);
            if let Some(session) = self.sessions.by_number.get_mut(&session) {
                session.unfinished -= 1;
            }
        }
    }

    /// Another session takes the place of this one.
    fn retire_session(&mut self, doors: &mut Doors, number: SessionNumber) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        let name = session.name.clone();
        for registration in session.registrations.clone() {
            self.unregister(doors, registration, Pending::Abort);
        }
        self.sessions.by_name.remove(&name);
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
            self.atomic_forget(doors, worker);
        }
    }

    /// Ends a session's process because of what its code does.
    pub(crate) fn kill_worker(&mut self, doors: &mut Doors, number: SessionNumber, cause: &str) {
        let session = self.sessions.by_number.get(&number);
        let Some(worker) = session.and_then(Session::worker) else { return };
        self.account_for_end_of(doors, worker);
        doors.workers.kill(worker);
        self.worker_gone(doors, number, cause);
    }

    /// A session's process is gone: what ran in it failed, what is registered goes on in a new one.
    pub(crate) fn worker_gone(&mut self, doors: &mut Doors, number: SessionNumber, cause: &str) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        let Some(worker) = session.worker() else { return };
        let message = format!("session {}: {cause}", session.name);
        session.process = Process::Gone;
        let script = session.script.take();
        let mut failed: Vec<ExecutionId> = session.order.drain(..).collect();
        failed.append(&mut session.batches);
        self.sessions.by_worker.remove(&worker);
        self.atomic_forget(doors, worker);
        doors.host.log(Level::Warning, &message);

        if let Some(script) = script {
            self.discard(&script);
            if let Some(client) = script.client {
                let mut wire = Vec::new();
                reply_to(&mut wire).error(as_traceback(cause).as_bytes());
                doors.host.reply(client, &wire);
            }
        }
        for id in failed {
            let Some(execution) = self.executions.get_mut(&id) else { continue };
            let error = match execution.stop {
                Some(stop) => format!("{stop}; {cause}"),
                None => cause.into(),
            };
            execution.errors.push(error);
            self.finish(doors, id, Status::Done);
        }
        self.restart_later(doors, number);
        self.end_session_if_idle(doors, number);
    }

    fn restart_later(&mut self, doors: &mut Doors, number: SessionNumber) {
        let now_ms = doors.host.now_ms();
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        if session.registrations.is_empty() {
            return;
        }
        match session.crashes.delay_ms(now_ms) {
            0 => self.restart_session(doors, number),
            delay_ms => drop(self.deadlines.insert((now_ms + delay_ms, Due::Restart(number)))),
        }
    }

    /// Gives a session whose process died a new one.
    pub(crate) fn restart_session(&mut self, doors: &mut Doors, number: SessionNumber) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        if session.process != Process::Gone {
            return;
        }
        let name = session.name.clone();
        let worker = self.start_worker(doors, number, &name);
        let since_us = doors.host.monotonic_us();
        let session = self.sessions.by_number.get_mut(&number).expect("it was there");
        session.process = Process::Loading { worker, since_us };
        let functions: Vec<(FunctionId, &[u8])> = session
            .registrations
            .iter()
            .map(|number| &self.registrations.by_number[number])
            .map(|registration| (registration.function, &registration.pickle[..]))
            .collect();
        doors.workers.load(worker, &functions);
        self.watch_limits(doors);
    }

    /// A restarted session has its functions again, or cannot have them.
    pub(crate) fn loaded(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        error: Option<String>,
    ) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        let Process::Loading { worker, .. } = session.process else { return };
        let registrations = session.registrations.clone();
        let Some(error) = error else {
            session.process = Process::Running(worker);
            for registration in registrations {
                self.mark_ready(registration);
            }
            return;
        };

        // What waits would wait in vain: it fails with the reason, and the next attempt comes later.
        for number in registrations {
            self.fail_pending(doors, number, &error);
        }
        self.kill_worker(doors, number, &format!("functions could not be restored: {error}"));
    }

    fn fail_pending(&mut self, doors: &mut Doors, number: RegistrationNumber, error: &str) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        registration.statistics.last_error = Some(error.into());
        let pending = std::mem::take(&mut registration.pending);
        self.queued -= pending.len();
        for id in pending {
            self.execution(id).errors.push(error.into());
            self.finish(doors, id, Status::Done);
        }
    }
}

/// A message in the form in which clients expect errors of scripts: a Python list of lines.
fn as_traceback(message: &str) -> String {
    let escaped = message.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!("['{escaped}\\n']")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_come_at_once_and_then_ever_more_slowly() {
        let mut crashes = Crashes::default();
        let delays: Vec<i64> = (0..4).map(|at_ms| crashes.delay_ms(at_ms)).collect();
        assert_eq!(delays, [0, 100, 200, 400]);
        assert_eq!((0..40).map(|at_ms| crashes.delay_ms(at_ms)).last(), Some(30_000));
        assert_eq!(crashes.delay_ms(200_000), 0);
    }

    #[test]
    fn an_engine_s_error_reads_like_a_python_list() {
        assert_eq!(as_traceback(r"it's a\b"), r"['it\'s a\\b\n']");
    }

    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};
    use crate::worker::{ExitReason, FromWorker};

    fn count() -> crate::plan::Plan {
        plan("KeysReader", &[StepKind::Count, StepKind::ToText, StepKind::Collect])
    }

    #[test]
    fn a_script_that_asks_for_nothing_is_ok_and_leaves_nothing() {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYEXECUTE code"), "…");
        assert_eq!(stage.sent(), ["start w0", "script w0 code"]);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        assert_eq!(stage.sent(), ["kill w0"]);
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_script_s_error_is_the_reply_and_undoes_what_it_asked_for() {
        let mut stage = Stage::with_keys(3);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.register(WORKER, 1, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.from(WORKER, FromWorker::ScriptDone { error: Some("['boom\\n']".into()) });
        assert_eq!(stage.reply(), "-['boom\\n']|");
        assert_eq!(stage.command("RG.DUMPEXECUTIONS"), "*0|");
        assert_eq!(stage.command("RG.DUMPREGISTRATIONS"), "*0|");
        assert_eq!(stage.command("RG.TRIGGER t"), "-ERR subcommand not found|");
        assert_eq!(stage.sent().last().unwrap(), "kill w0");
    }

    #[test]
    fn registrations_win_over_a_run_in_the_reply_and_the_run_is_kept() {
        let mut stage = Stage::with_keys(3);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.register(WORKER, 1, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        stage.work();
        assert_eq!(stage.command(&format!("RG.GETRESULTS {}", id(0))), "*2|*1|$1|3|*0|");
    }

    #[test]
    fn a_second_run_in_one_script_is_refused() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.run(WORKER, 1, count());
        let sent = stage.sent();
        assert_eq!(sent[2], format!("answer w0 t0 {}", id(0)));
        assert_eq!(
            sent[3],
            "answer w0 t1 raise Can not run more then 1 executions in a single script"
        );
    }

    #[test]
    fn a_registration_becomes_visible_when_its_script_has_ended() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        assert_eq!(stage.sent().last().unwrap(), &format!("answer w0 t0 {}", id(1)));
        assert_eq!(stage.command("RG.TRIGGER t"), "-ERR subcommand not found|");
        stage.script_done(WORKER);
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
    }

    #[test]
    fn a_trigger_s_name_is_taken_once() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.PYEXECUTE code");
        let worker = WorkerId(1);
        stage.register(worker, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.register(worker, 1, plan("CommandReader", &[]), &[("trigger", text("u"))]);
        stage.register(worker, 2, plan("CommandReader", &[]), &[("trigger", text("u"))]);
        let sent = stage.sent();
        assert_eq!(sent[2], "answer w1 t0 raise trigger already registered");
        assert_eq!(sent[4], "answer w1 t2 raise trigger already registered in this session");
    }

    #[test]
    fn of_two_scripts_that_race_for_a_name_the_second_is_told_which_shard_refused() {
        let mut stage = Stage::new();
        for number in 0..2 {
            stage.command("RG.PYEXECUTE code");
            let kwargs = [("trigger", text("t"))];
            stage.register(WorkerId(number), 0, plan("CommandReader", &[]), &kwargs);
        }
        stage.script_done(WorkerId(0));
        stage.script_done(WorkerId(1));
        let refusal = format!("*1|--ERR shard-{}: trigger already registered|", "0".repeat(40));
        assert_eq!(stage.replies(), ["+OK|", &refusal]);
    }

    #[test]
    fn an_upgrade_replaces_the_session_and_may_take_its_triggers() {
        let mut stage = Stage::new();
        for (worker, options) in [(0, " ID a"), (1, " ID a UPGRADE")] {
            assert_eq!(stage.command(&format!("RG.PYEXECUTE code{options}")), "…");
            let kwargs = [("trigger", text("t"))];
            stage.register(WorkerId(worker), 0, plan("CommandReader", &[]), &kwargs);
            stage.script_done(WorkerId(worker));
            assert_eq!(stage.reply(), "+OK|");
        }
        assert_eq!(stage.engine.registrations.listed().count(), 1);
        assert!(stage.sent().contains(&"kill w0".into()));
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
        assert_eq!(stage.sent(), ["invoke w1 e2 f0 [t]"]);
    }

    #[test]
    fn of_two_upgrades_at_once_the_last_one_stays() {
        let mut stage = Stage::new();
        for (worker, options) in [(0, " ID a"), (1, " ID a UPGRADE"), (2, " ID a UPGRADE")] {
            stage.command(&format!("RG.PYEXECUTE code{options}"));
            if worker == 0 {
                stage.register(WORKER, 0, plan("KeysReader", &[]), &[]);
                stage.script_done(WORKER);
            }
        }
        for worker in [WorkerId(1), WorkerId(2)] {
            stage.register(worker, 0, plan("KeysReader", &[]), &[]);
            stage.script_done(worker);
        }
        assert_eq!(stage.replies(), ["+OK|"; 3]);
        assert_eq!(stage.engine.registrations.listed().count(), 1);
        assert_eq!(stage.engine.sessions.by_worker.keys().collect::<Vec<_>>(), [&WorkerId(2)]);
    }

    #[test]
    fn a_failed_upgrade_leaves_the_old_session_alone() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        stage.command("RG.PYEXECUTE code ID a UPGRADE");
        stage.from(WorkerId(1), FromWorker::ScriptDone { error: Some("['no\\n']".into()) });
        assert_eq!(stage.command("RG.PYEXECUTE code ID a"), "-Session a already exists|");
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
    }

    #[test]
    fn a_worker_that_dies_in_the_script_gives_its_client_a_list_of_lines() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.from(WORKER, FromWorker::Exited { reason: ExitReason::Code(1) });
        assert_eq!(stage.reply(), "-['worker exited with code 1\\n']|");
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_worker_that_dies_in_a_run_ends_it_with_the_cause() {
        let mut stage = Stage::running(plan("KeysReader", &[StepKind::Map]), "");
        stage.crash(WORKER);
        assert_eq!(stage.reply(), "*2|*0|*1|$48|worker was ended by SIGSEGV (segmentation fault)|");
        assert!(stage.engine.sessions.by_number.is_empty());
        assert!(stage.engine.executions.is_empty());
    }

    #[test]
    fn registrations_survive_their_worker_and_the_failure_is_counted() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.sent();
        stage.crash(WORKER);
        assert_eq!(stage.reply(), "-worker was ended by SIGSEGV (segmentation fault)|");
        let (triggered, succeeded, failed, aborted, error) = stage.statistics();
        assert_eq!((triggered, succeeded, failed, aborted), (1, 0, 1, 0));
        assert_eq!(error.unwrap(), "worker was ended by SIGSEGV (segmentation fault)");
        assert_eq!(stage.sent(), ["start w1", "load w1 f0=pickle0"]);
    }

    #[test]
    fn what_is_triggered_while_a_session_restarts_waits_for_it() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        stage.sent();
        assert_eq!(stage.command("RG.TRIGGER t a"), "…");
        assert_eq!(stage.sent(), [""; 0]);
        stage.loaded(WorkerId(1));
        stage.work();
        assert_eq!(stage.sent(), ["invoke w1 e1 f0 [t a]"]);
        stage.done(WorkerId(1), 1, vec![text("x")]);
        assert_eq!(stage.reply(), "*1|$1|x|");
    }

    #[test]
    fn functions_that_cannot_be_restored_fail_what_waits_and_are_tried_again_later() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        stage.command("RG.TRIGGER t");
        stage.from(WorkerId(1), FromWorker::Loaded { error: Some("no module".into()) });
        assert_eq!(stage.reply(), "-no module|");
        assert_eq!(stage.statistics().2, 1);
        stage.sent();
        stage.at(99);
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(100);
        assert_eq!(stage.sent(), ["start w2", "load w2 f0=pickle0"]);
    }

    #[test]
    fn late_messages_of_a_dead_worker_are_dropped() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.crash(WORKER);
        stage.replies();
        stage.done(WORKER, 1, vec![text("x")]);
        assert_eq!(stage.replies(), [""; 0]);
        assert_eq!(stage.statistics().1, 0);
    }

    #[test]
    fn a_worker_speaks_for_executions_of_its_own_session_only() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.command("RG.PYEXECUTE other");
        stage.done(WorkerId(1), 1, vec![text("forged")]);
        assert_eq!(stage.replies(), [""; 0]);
    }

    #[test]
    fn a_client_that_is_gone_gets_no_reply_and_its_script_goes_on() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.engine.client_gone(CLIENT);
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        assert_eq!(stage.replies(), [""; 0]);
        assert_eq!(stage.engine.registrations.listed().count(), 1);
    }
}
