//! The death of a session's process: what ran in it fails, what is registered lives on in another one.

use std::collections::VecDeque;

use super::{Process, Session, SessionNumber};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine, reply_to};
use crate::execution::Status;
use crate::host::Level;
use crate::identifier::RegistrationNumber;
use crate::registrations::Mode;
use crate::worker::{ExecutionId, FunctionId};

/// Crashes count together while they come closer than this.
const CRASH_MEMORY_MS: i64 = 60_000;
const RESTART_DELAY_MS_MAX: i64 = 30_000;

/// Restarts at once after the first crash, then ever more slowly.
#[derive(Default)]
pub(super) struct Crashes {
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

impl Engine {
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
        let was_loading = matches!(session.process, Process::Loading { .. });
        session.process = Process::Gone;
        let lost = session.end_time_events(doors.host);
        let script = session.script.take();
        let mut failed: Vec<ExecutionId> = session.order.drain(..).collect();
        let ahead = std::mem::take(&mut session.ahead);
        session.lines.clear();
        failed.append(&mut session.beside_queue);
        self.sessions.by_worker.remove(&worker);
        self.take_back_from_worker(doors, worker);
        self.profiles_lost(doors, worker);
        doors.host.log(Level::Warning, &message);
        if lost > 0 {
            doors.host.log(Level::Warning, &format!("{lost} time events went with their worker"));
        }

        if let Some(script) = script {
            self.discard(doors, &script);
            if let Some(client) = script.client {
                let mut wire = Vec::new();
                reply_to(&mut wire).error(as_traceback(cause).as_bytes());
                doors.host.reply(client, &wire);
            }
        }
        // These had not begun: what they were to read is read again.
        for (_, id) in ahead {
            self.finish(doors, id, Status::Aborted);
        }
        for id in self.keep_owed(doors, failed) {
            let Some(execution) = self.executions.get_mut(&id) else { continue };
            let error = match execution.stop {
                Some(stop) => format!("{stop}; {cause}"),
                None => cause.into(),
            };
            execution.errors.push(error);
            self.finish(doors, id, Status::Done);
        }
        if was_loading {
            self.fail_awaited(doors, number, cause);
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
        let interpreter = session.interpreter;
        let limits = session.limits.clone();
        let (worker, computing) = self.start_worker(doors, number, &name, interpreter, &limits);
        let since_us = doors.host.monotonic_us();
        let session = self.sessions.by_number.get_mut(&number).expect("it was there");
        session.computing = computing;
        session.process = Process::Loading { worker, since_us };
        session.restarts += 1;
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
            let waiting = session.beside_queue.clone();
            self.start_waiting_inside(doors, waiting);
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

    /// A process has died over its functions, and the next one may: clients wait for one attempt, not for ever. Events and
    /// entries of streams, for which nobody waits, are kept.
    fn fail_awaited(&mut self, doors: &mut Doors, number: SessionNumber, cause: &str) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        for number in session.registrations.clone() {
            let Some(registration) = self.registrations.by_number.get_mut(&number) else {
                continue;
            };
            let pending = std::mem::take(&mut registration.pending);
            let (awaited, kept): (VecDeque<_>, VecDeque<_>) = pending.into_iter().partition(|id| {
                self.executions.get(id).is_some_and(|execution| execution.client.is_some())
                    || self.causes.is_waited_for(*id)
            });
            registration.pending = kept;
            self.queued -= awaited.len();
            for id in awaited {
                // The end of one may have been the end of others.
                let Some(execution) = self.executions.get_mut(&id) else { continue };
                execution.errors.push(cause.into());
                self.finish(doors, id, Status::Done);
            }
        }
    }

    fn fail_pending(&mut self, doors: &mut Doors, number: RegistrationNumber, error: &str) {
        let now_ms = doors.host.now_ms();
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        registration.statistics.note_error(error, now_ms);
        if registration.mode == Mode::Sync {
            // Their commands have happened: what they owe is kept for the next attempt.
            return;
        }
        let pending = std::mem::take(&mut registration.pending);
        self.queued -= pending.len();
        for id in pending {
            let Some(execution) = self.executions.get_mut(&id) else { continue };
            execution.errors.push(error.into());
            self.finish(doors, id, Status::Done);
        }
    }
}

/// Lines in the form in which clients expect errors of scripts: a Python list of them.
pub(crate) fn as_traceback(message: &str) -> String {
    let lines = message.lines().map(|line| {
        let escaped = line.replace('\\', "\\\\").replace('\'', "\\'").replace('\r', "\\r");
        format!("'{escaped}\\n'")
    });
    format!("[{}]", lines.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StepKind;
    use crate::testing::{Stage, WORKER, plan, text};
    use crate::worker::{ExitReason, FromWorker, WorkerId};

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
        assert_eq!(as_traceback("a\nb"), r"['a\n', 'b\n']");
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
    fn a_worker_that_dies_over_its_functions_fails_what_clients_wait_for() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        stage.command("RG.TRIGGER t");
        stage.crash(WorkerId(1));
        assert_eq!(stage.reply(), "-worker was ended by SIGSEGV (segmentation fault)|");
        assert_eq!(stage.statistics().2, 1);
        stage.sent();
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
        stage.at(100);
        assert_eq!(stage.sent(), ["start w2", "load w2 f0=pickle0"]);
        stage.loaded(WorkerId(2));
        stage.work();
        assert_eq!(stage.sent(), ["invoke w2 e2 f0 [t]"]);
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
}
