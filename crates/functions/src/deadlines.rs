//! What is due at a time: stream batches, retries, restarts, and the limits that end a function.

use crate::config::{Key, Limits};
use crate::engine::{Doors, Engine};
use crate::execution::{Origin, Status, Stop};
use crate::identifier::RegistrationNumber;
use crate::lease::IN_VAIN;
use crate::session::{Process, SessionNumber};
use crate::worker::{ExecutionId, WorkerId};

/// How long a function may ignore that it is being stopped.
pub(crate) const GRACE_MS: i64 = 1000;

/// How often running functions are held against their limits, at most and at least.
const LIMIT_CHECK_MS: std::ops::RangeInclusive<i64> = 1..=100;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The oldest entry of a stream has waited long enough for its batch.
    Stream(RegistrationNumber, Box<[u8]>),
    /// A failed stream registration tries again.
    Retry(RegistrationNumber),
    /// A registration's time has come.
    Cron(RegistrationNumber),
    /// A crashed session gets a new process.
    Restart(SessionNumber),
    /// Running functions are held against function-timeout-ms and function-cpu-ms.
    Limits,
    /// An execution that was asked to stop should have stopped.
    Kill(ExecutionId),
    /// A script body that was asked to stop should have stopped.
    KillScript(SessionNumber),
    /// A callback of a worker is to be called again, every so many milliseconds.
    TimeEvent(SessionNumber, WorkerId, u32, i64),
    /// A worker has had the data to itself for atomic-max-ms.
    Lease,
}

impl Engine {
    /// Does what is due by the host's clock.
    pub fn tick(&mut self, doors: &mut Doors) {
        let now_ms = doors.host.now_ms();
        while let Some((at_ms, _)) = self.deadlines.first()
            && *at_ms <= now_ms
        {
            let (_, due) = self.deadlines.pop_first().expect("there is a first");
            match due {
                Due::Stream(number, key) => self.stream_timer(doors, number, &key),
                Due::Retry(number) => self.retry_stream(number),
                Due::Cron(number) => self.cron_is_due(doors, number),
                Due::Restart(session) => self.restart_session(doors, session),
                Due::Limits => self.check_limits(doors),
                Due::Kill(id) => self.kill_if_running(doors, id),
                Due::KillScript(session) => self.kill_if_in_script(doors, session),
                Due::TimeEvent(session, worker, event, period_ms) => {
                    self.time_event_is_due(doors, session, worker, event, period_ms);
                }
                Due::Lease => self.cut_off_leases(doors),
            }
        }
    }

    /// When `tick` has something to do next.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// Something runs that limits apply to.
    pub(crate) fn watch_limits(&mut self, doors: &mut Doors) {
        if self.watches_limits {
            return;
        }
        let Some(interval_ms) = self.limits_interval_ms() else { return };
        self.watches_limits = true;
        self.deadlines.insert((doors.host.now_ms() + interval_ms, Due::Limits));
    }

    /// How soon the limits are to be looked at; `None` while there are none.
    fn limits_interval_ms(&self) -> Option<i64> {
        let of_all = self.config.limit_for(&Limits::default(), Key::FunctionTimeoutMs);
        let sessions = self.sessions.by_number.values().filter(|_| self.sessions.differ);
        let of_each = sessions.flat_map(|session| {
            let timeout_ms = self.config.limit_for(&session.limits, Key::FunctionTimeoutMs);
            timeout_ms.into_iter().chain(session.computing.max_ms)
        });
        let least_ms = of_each.chain(of_all).min()?;
        let least_ms = i64::try_from(least_ms).unwrap_or(i64::MAX);
        Some(least_ms.clamp(*LIMIT_CHECK_MS.start(), *LIMIT_CHECK_MS.end()))
    }

    fn check_limits(&mut self, doors: &mut Doors) {
        self.watches_limits = false;
        let now_us = doors.host.monotonic_us();
        let threads = self.config.size(Key::ExecutionThreads);

        let mut late_scripts = Vec::new();
        let mut late_loads = Vec::new();
        let mut late_executions = Vec::new();
        let mut deaf = Vec::new();
        let mut anything_runs = false;
        for (number, session) in &mut self.sessions.by_number {
            let timeout_ms = self.config.limit_for(&session.limits, Key::FunctionTimeoutMs);
            // The limit that it is beyond.
            let late = |started_us: u64| {
                let took_us = now_us.saturating_sub(started_us);
                timeout_ms.filter(|timeout_ms| took_us >= timeout_ms.saturating_mul(1000))
            };
            let mut runs = false;
            if let Some(script) = &session.script {
                runs = true;
                if script.stop.is_none() {
                    late_scripts.extend(late(script.started_us).map(|max_ms| (*number, max_ms)));
                }
            }
            if let Process::Loading { since_us, .. } = session.process {
                anything_runs = true;
                late_loads.extend(late(since_us).map(|max_ms| (*number, max_ms)));
            }
            for id in session.order.iter().take(threads).chain(&session.beside_queue) {
                runs = true;
                let execution = &self.executions[id];
                if execution.stop.is_none() {
                    let late = execution.started_us.and_then(late);
                    late_executions.extend(late.map(|max_ms| (*id, max_ms)));
                }
            }
            anything_runs |= runs;

            // A worker that has used so much and said nothing cannot look after itself: foreign code has its interpreter.
            if !runs {
                session.computing.rests();
            } else if let Some(max_ms) = session.computing.max_ms
                && let Process::Running(worker) = session.process
                && let Some(usage) = doors.workers.usage(worker)
                && session.computing.is_deaf(usage.cpu_us)
            {
                deaf.push((*number, max_ms));
            }
        }

        for (number, after_ms) in late_scripts {
            self.stop_script(doors, number, Stop::TimedOut { after_ms });
        }
        for (number, max_ms) in late_loads {
            let cause = format!(
                "worker was killed: functions took to be restored longer than function-timeout-ms ({max_ms})"
            );
            self.kill_worker(doors, number, &cause);
        }
        for (id, after_ms) in late_executions {
            self.stop(doors, id, Stop::TimedOut { after_ms });
        }
        for (number, max_ms) in deaf {
            let cause = format!(
                "worker was killed: it used more processor time than function-cpu-ms ({max_ms}), and nothing could stop it"
            );
            self.kill_worker(doors, number, &cause);
        }
        if anything_runs {
            self.watch_limits(doors);
        }
    }

    /// A worker has looked at the processor time of what runs in it.
    pub(crate) fn computed(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        beyond: Vec<Option<ExecutionId>>,
    ) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        session.computing.rests();
        let Some(max_ms) = session.computing.max_ms else { return };
        let stop = Stop::Computed { max_ms };
        for execution in beyond {
            let is_its_own =
                |id: &ExecutionId| self.executions.get(id).is_some_and(|it| it.session == number);
            match execution {
                None => self.stop_script(doors, number, stop),
                Some(id) if is_its_own(&id) => self.stop(doors, id, stop),
                Some(_) => {}
            }
        }
    }

    /// Stops an execution that runs; one that waits for its turn will never have it.
    pub(crate) fn stop_or_drop(&mut self, doors: &mut Doors, id: ExecutionId, stop: Stop) {
        let Some(execution) = self.executions.get(&id) else { return };
        let waits_in_worker = execution.shown_status() != execution.status;
        match execution.status {
            Status::Done | Status::Aborted => {}
            Status::Created => {
                if let Origin::Registration(number) = execution.origin
                    && let Some(registration) = self.registrations.by_number.get_mut(&number)
                {
                    let waiting = registration.pending.len();
                    registration.pending.retain(|pending| *pending != id);
                    self.queued -= waiting - registration.pending.len();
                }
                self.finish(doors, id, Status::Aborted);
            }
            Status::Running if waits_in_worker => self.abort_waiting_in_worker(doors, id),
            Status::Running => self.stop(doors, id, stop),
        }
    }

    /// Asks an execution to stop; one that does not is ended with its process.
    pub(crate) fn stop(&mut self, doors: &mut Doors, id: ExecutionId, stop: Stop) {
        let Some(execution) = self.executions.get_mut(&id) else { return };
        if execution.status != Status::Running || execution.stop.is_some() {
            return;
        }
        execution.stop = Some(stop);
        self.cancel_calls_of(doors, id);
        let Some(execution) = self.executions.get_mut(&id) else { return };
        let is_with_worker = execution.batch().is_none_or(|batch| {
            batch.walk = crate::readers::Walk::Over;
            batch.opened
        });
        let session = &self.sessions.by_number[&execution.session];
        match session.worker() {
            Some(worker) if is_with_worker => {
                doors.workers.abort(worker, id);
                self.deadlines.insert((doors.host.now_ms() + GRACE_MS, Due::Kill(id)));
            }
            _ => {
                execution.errors.push(stop.to_string());
                self.finish(doors, id, Status::Done);
            }
        }
    }

    /// Asks a script body to stop; one that does not is ended with its process.
    pub(crate) fn stop_script(&mut self, doors: &mut Doors, number: SessionNumber, stop: Stop) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        let Some(worker) = session.worker() else { return };
        let Some(script) = session.script.as_mut().filter(|script| script.stop.is_none()) else {
            return;
        };
        script.stop = Some(stop);
        doors.workers.abort_script(worker);
        self.deadlines.insert((doors.host.now_ms() + GRACE_MS, Due::KillScript(number)));
    }

    fn kill_if_in_script(&mut self, doors: &mut Doors, number: SessionNumber) {
        let session = self.sessions.by_number.get(&number);
        let stop = session.and_then(|session| session.script.as_ref()?.stop);
        if let Some(stop) = stop {
            let stop = stop.of_a_script();
            let cause = format!("worker was killed: it did not stop within {GRACE_MS} ms; {stop}");
            self.kill_worker(doors, number, &cause);
        }
    }

    fn kill_if_running(&mut self, doors: &mut Doors, id: ExecutionId) {
        let Some(execution) = self.executions.get(&id) else { return };
        if execution.status != Status::Running {
            return;
        }
        let stop = execution.stop.expect("only what was stopped is to be killed");
        let mut cause = format!(
            "worker was killed: execution {} did not stop within {GRACE_MS} ms ({})",
            self.identifiers.text(id.0),
            stop.asker()
        );
        if let Stop::Held { .. } = stop {
            cause.push(' ');
            cause.push_str(IN_VAIN);
        }
        self.kill_worker(doors, execution.session, &cause);
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};
    use crate::worker::{ExecutionId, FromWorker, WorkerId};

    const MAP: &[StepKind] = &[StepKind::Map];

    fn with_timeout(stage: &mut Stage) {
        assert_eq!(stage.command("RG.CONFIGSET function-timeout-ms 1000"), "*1|+OK|");
    }

    fn triggered() -> Stage {
        let mut stage = Stage::with_trigger();
        with_timeout(&mut stage);
        stage.command("RG.TRIGGER t");
        stage.sent();
        // The look that the first script's limit of an hour had asked for.
        stage.at(100);
        stage
    }

    #[test]
    fn an_execution_that_takes_too_long_is_asked_to_stop_and_says_why() {
        let mut stage = triggered();
        stage.at(999);
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(1100);
        assert_eq!(stage.sent(), ["abort w0 e1"]);
        stage.failed(WORKER, 1, "['forced\\n']");
        assert_eq!(
            stage.reply(),
            "-execution was stopped: it ran longer than function-timeout-ms (1000); ['forced\\n']|"
        );
        stage.at(9000);
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn one_that_does_not_stop_is_ended_with_its_process_and_the_session_goes_on() {
        let mut stage = triggered();
        stage.at(1100);
        stage.sent();
        stage.at(2100);
        assert_eq!(stage.sent(), ["kill w0", "start w1", "load w1 f0=pickle0"]);
        let reply = stage.reply();
        assert!(reply.contains("function-timeout-ms (1000)"), "{reply}");
        assert!(reply.contains("worker was killed"), "{reply}");
        assert_eq!(stage.statistics().2, 1);
    }

    #[test]
    fn the_time_in_the_worker_s_queue_does_not_count() {
        let mut stage = Stage::with_trigger();
        with_timeout(&mut stage);
        for _ in 0..4 {
            stage.command("RG.TRIGGER t");
        }
        stage.at(900);
        stage.done(WORKER, 1, vec![]);
        stage.sent();
        stage.at(1000);
        assert_eq!(stage.sent(), ["abort w0 e2", "abort w0 e3"]);
        stage.at(1950);
        assert_eq!(stage.sent(), ["abort w0 e4"]);
    }

    #[test]
    fn a_script_that_takes_too_long_is_asked_to_stop_and_says_why() {
        let mut stage = Stage::new();
        with_timeout(&mut stage);
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.at(1000);
        assert_eq!(stage.sent(), ["abort script w0"]);
        stage.from(WORKER, FromWorker::ScriptDone { error: Some("['forced\\n']".into()) });
        assert_eq!(
            stage.reply(),
            "-['forced\\n', 'script was stopped: it ran longer than function-timeout-ms (1000)\\n']|"
        );
        stage.at(9000);
        assert_eq!(stage.sent(), ["kill w0"]);
    }

    #[test]
    fn a_script_that_does_not_stop_is_ended_with_its_process() {
        let mut stage = Stage::new();
        with_timeout(&mut stage);
        stage.command("RG.PYEXECUTE code");
        stage.at(1000);
        stage.sent();
        stage.at(1999);
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(2000);
        assert_eq!(stage.sent(), ["kill w0"]);
        assert_eq!(
            stage.reply(),
            "-['worker was killed: it did not stop within 1000 ms; script was stopped: it ran longer \
             than function-timeout-ms (1000)\\n']|"
        );
        stage.at(2200);
        assert_eq!(stage.engine.next_deadline_ms(), None);
    }

    #[test]
    fn functions_that_take_too_long_to_be_restored_are_given_up_for_now() {
        let mut stage = Stage::with_trigger();
        with_timeout(&mut stage);
        stage.at(100);
        stage.crash(WORKER);
        stage.sent();
        stage.at(1100);
        assert_eq!(stage.sent(), ["kill w1"]);
        stage.at(1200);
        assert_eq!(stage.sent(), ["start w2", "load w2 f0=pickle0"]);
    }

    #[test]
    fn a_limit_holds_for_what_runs_already() {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.at(500);
        with_timeout(&mut stage);
        stage.at(1000);
        assert_eq!(stage.sent(), ["abort script w0"]);
    }

    fn with_processor_time() -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code LIMIT function-cpu-ms 200");
        stage.register(WORKER, 0, plan("CommandReader", MAP), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        stage.replies();
        stage.sent();
        stage
    }

    #[test]
    fn an_execution_that_computes_too_much_is_asked_to_stop_and_says_why() {
        let mut stage = with_processor_time();
        stage.command("RG.TRIGGER t");
        stage.sent();
        let beyond = vec![Some(ExecutionId(1)), Some(ExecutionId(77)), None];
        stage.from(WORKER, FromWorker::Computed { beyond });
        assert_eq!(stage.sent(), ["abort w0 e1"]);
        stage.failed(WORKER, 1, "['forced\\n']");
        let reply = stage.reply();
        assert!(reply.contains("more processor time than function-cpu-ms (200); ["), "{reply}");
    }

    #[test]
    fn a_worker_that_computes_and_cannot_look_after_itself_is_ended() {
        let mut stage = with_processor_time();
        stage.at(100);
        stage.command("RG.TRIGGER t");
        stage.sent();
        stage.workers.cpu_us = 5_000_000;
        stage.at(200);
        stage.workers.cpu_us += 1_200_000;
        stage.at(300);
        assert_eq!(stage.sent(), [""; 0]);
        stage.from(WORKER, FromWorker::Computed { beyond: vec![] });
        stage.workers.cpu_us += 1_200_000;
        stage.at(400);
        stage.at(500);
        assert_eq!(stage.sent(), [""; 0]);
        stage.workers.cpu_us += 1_200_001;
        stage.at(600);
        assert_eq!(stage.sent()[0], "kill w0");
        let reply = stage.reply();
        assert!(reply.contains("function-cpu-ms (200)"), "{reply}");
    }

    #[test]
    fn a_session_s_own_limit_holds_for_it_alone() {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code");
        stage.command("RG.PYEXECUTE code LIMIT function-timeout-ms 50");
        stage.sent();
        stage.at(50);
        assert_eq!(stage.sent(), ["abort script w1"]);
        stage.at(5000);
        assert_eq!(stage.sent(), ["kill w1"]);
    }

    fn ending_with_clients(stage: &mut Stage) {
        assert_eq!(stage.command("RG.CONFIGSET function-kill-on-disconnect yes"), "*1|+OK|");
    }

    #[test]
    fn what_a_client_waits_for_ends_with_its_connection_where_that_is_asked_for() {
        let mut stage = Stage::with_trigger();
        ending_with_clients(&mut stage);
        stage.command("RG.TRIGGER t");
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        assert_eq!(stage.sent(), ["abort script w1", "abort w0 e1"]);
        stage.at(1000);
        assert_eq!(stage.sent()[..2], ["kill w0", "start w2"]);
        assert_eq!(stage.replies(), [""; 0]);
        assert!(stage.statistics().4.unwrap().contains("function-kill-on-disconnect"));
    }

    #[test]
    fn otherwise_it_goes_on_and_a_session_may_say_which() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.command("RG.PYEXECUTE code LIMIT function-kill-on-disconnect yes");
        stage.sent();
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        assert_eq!(stage.sent(), ["abort script w1"]);
    }

    #[test]
    fn what_waits_for_its_turn_never_has_it_when_its_client_is_gone() {
        let mut stage = Stage::with_trigger();
        ending_with_clients(&mut stage);
        stage.crash(WORKER);
        stage.command("RG.TRIGGER t");
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        stage.loaded(WorkerId(1));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        assert_eq!(stage.statistics().3, 1);
    }

    #[test]
    fn without_a_limit_nothing_is_watched() {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code");
        assert_eq!(stage.engine.next_deadline_ms(), None);
    }

    #[test]
    fn an_abort_is_answered_when_the_execution_has_stopped() {
        let mut stage = Stage::running(plan("KeysReader", MAP), " UNBLOCKING");
        stage.replies();
        let abort = format!("RG.ABORTEXECUTION {}", id(0));
        assert_eq!(stage.command(&abort), "…");
        assert_eq!(stage.sent(), ["abort w0 e0"]);
        stage.failed(WORKER, 0, "['forced\\n']");
        assert_eq!(stage.reply(), "+OK|");
        let dump = stage.command("RG.DUMPEXECUTIONS");
        assert!(dump.contains("$4|done|"), "{dump}");
        assert_eq!(stage.command(&abort), "+OK|");
        assert_eq!(stage.command(&format!("RG.DROPEXECUTION {}", id(0))), "+OK|");
        assert_eq!(stage.command(&abort), "-execution does not exist|");
    }

    #[test]
    fn an_abort_that_is_ignored_costs_the_process() {
        let mut stage = Stage::running(plan("KeysReader", MAP), "");
        stage.command(&format!("RG.ABORTEXECUTION {}", id(0)));
        stage.at(999);
        assert_eq!(stage.sent(), ["abort w0 e0"]);
        stage.at(1000);
        assert_eq!(stage.sent(), ["kill w0"]);
        let replies = stage.replies();
        assert!(replies[0].contains("RG.ABORTEXECUTION"), "{replies:?}");
        assert_eq!(replies[1], "+OK|");
    }

    #[test]
    fn an_aborted_run_is_read_no_further() {
        let mut stage = Stage::with_keys(9000);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan("KeysReader", MAP));
        stage.script_done(WORKER);
        stage.command(&format!("RG.ABORTEXECUTION {}", id(0)));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_count_in_the_engine_stops_at_once() {
        let mut stage = Stage::with_keys(9000);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan("KeysReader", &[StepKind::Count]));
        stage.script_done(WORKER);
        assert_eq!(stage.command(&format!("RG.ABORTEXECUTION {}", id(0))), "+OK|");
        assert!(stage.reply().contains("stopped by RG.ABORTEXECUTION"));
    }

    #[test]
    fn what_waits_is_aborted_without_ever_starting() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        stage.command("RG.TRIGGER t");
        stage.sent();
        assert_eq!(stage.command(&format!("RG.ABORTEXECUTION {}", id(1))), "+OK|");
        assert_eq!(stage.reply(), "-ERR execution was aborted before it started|");
        stage.loaded(WorkerId(1));
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        let (triggered, succeeded, failed, aborted, _) = stage.statistics();
        assert_eq!((triggered, succeeded, failed, aborted), (1, 0, 0, 1));
    }

    #[test]
    fn a_run_may_be_aborted_before_its_script_has_ended() {
        let mut stage = Stage::with_keys(1);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan("KeysReader", MAP));
        assert_eq!(stage.command(&format!("RG.ABORTEXECUTION {}", id(0))), "+OK|");
        stage.script_done(WORKER);
        assert!(stage.reply().contains("stopped by RG.ABORTEXECUTION"));
        assert_eq!(stage.sent().last().unwrap(), "kill w0");
    }

    #[test]
    fn functions_cannot_wait_for_an_abort() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        let abort = format!("RG.ABORTEXECUTION {}", id(1));
        let refused = stage.command_of(crate::testing::CLIENT, &abort, false);
        assert!(refused.contains("blocking is not allowed"), "{refused}");
    }

    #[test]
    fn of_executions_that_die_with_another_each_names_the_cause() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.command("RG.TRIGGER t");
        stage.command(&format!("RG.ABORTEXECUTION {}", id(1)));
        stage.at(1000);
        let replies = stage.replies();
        assert_eq!(replies.len(), 3);
        assert!(replies[2].contains("RG.ABORTEXECUTION"), "{replies:?}");
    }
}
