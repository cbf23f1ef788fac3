//! What is due at a time: stream batches, retries, restarts, and the limits that end a function.

use crate::config::Key;
use crate::engine::{Doors, Engine};
use crate::execution::{Status, Stop};
use crate::identifier::RegistrationNumber;
use crate::session::{Process, SessionNumber};
use crate::worker::ExecutionId;

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
    /// A crashed session gets a new process.
    Restart(SessionNumber),
    /// Running functions are held against function-timeout-ms.
    Limits,
    /// An execution that was asked to stop should have stopped.
    Kill(ExecutionId),
    /// An atomic block has held the data for atomic-max-ms.
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
                Due::Restart(session) => self.restart_session(doors, session),
                Due::Limits => self.check_limits(doors),
                Due::Kill(id) => self.kill_if_running(doors, id),
                Due::Lease => self.cut_off_lease(doors),
            }
        }
    }

    /// When `tick` has something to do next.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// Something runs that limits apply to.
    pub(crate) fn watch_limits(&mut self, doors: &mut Doors) {
        let timeout_ms = self.config.number(Key::FunctionTimeoutMs);
        if timeout_ms == 0 || self.watches_limits {
            return;
        }
        self.watches_limits = true;
        let interval_ms = timeout_ms.clamp(*LIMIT_CHECK_MS.start(), *LIMIT_CHECK_MS.end());
        self.deadlines.insert((doors.host.now_ms() + interval_ms, Due::Limits));
    }

    fn check_limits(&mut self, doors: &mut Doors) {
        self.watches_limits = false;
        let timeout_ms = self.config.number(Key::FunctionTimeoutMs);
        if timeout_ms == 0 {
            return;
        }
        let timeout_us = timeout_ms.unsigned_abs().saturating_mul(1000);
        let now_us = doors.host.monotonic_us();
        let threads = self.config.size(Key::ExecutionThreads);
        let is_late = |started_us: u64| now_us.saturating_sub(started_us) >= timeout_us;

        let mut late_sessions = Vec::new();
        let mut late_executions = Vec::new();
        let mut anything_runs = false;
        for (number, session) in &self.sessions.by_number {
            if let Some(script) = &session.script {
                anything_runs = true;
                if is_late(script.started_us) {
                    late_sessions.push((*number, "script ran"));
                }
            }
            if let Process::Loading { since_us, .. } = session.process {
                anything_runs = true;
                if is_late(since_us) {
                    late_sessions.push((*number, "functions took to be restored"));
                }
            }
            for id in session.order.iter().take(threads).chain(&session.batches) {
                anything_runs = true;
                let execution = &self.executions[id];
                if execution.stop.is_none() && execution.started_us.is_some_and(is_late) {
                    late_executions.push(*id);
                }
            }
        }

        for (number, what) in late_sessions {
            let cause =
                format!("worker was killed: {what} longer than function-timeout-ms ({timeout_ms})");
            self.kill_worker(doors, number, &cause);
        }
        for id in late_executions {
            self.stop(doors, id, Stop::TimedOut { after_ms: timeout_ms });
        }
        if anything_runs {
            self.watch_limits(doors);
        }
    }

    /// Asks an execution to stop; one that does not is ended with its process.
    pub(crate) fn stop(&mut self, doors: &mut Doors, id: ExecutionId, stop: Stop) {
        let Some(execution) = self.executions.get_mut(&id) else { return };
        if execution.status != Status::Running || execution.stop.is_some() {
            return;
        }
        execution.stop = Some(stop);
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

    fn kill_if_running(&mut self, doors: &mut Doors, id: ExecutionId) {
        let Some(execution) = self.executions.get(&id) else { return };
        if execution.status != Status::Running {
            return;
        }
        let limit = match execution.stop {
            Some(Stop::TimedOut { .. }) => "function-timeout-ms",
            Some(Stop::Asked) | None => "RG.ABORTEXECUTION",
        };
        let cause = format!(
            "worker was killed: execution {} did not stop within {GRACE_MS} ms ({limit})",
            self.identifiers.text(id.0)
        );
        self.kill_worker(doors, execution.session, &cause);
    }
}
