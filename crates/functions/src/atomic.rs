//! `with atomic():` lends the data thread to one worker.
//!
//! While it is lent, the host serves that worker alone; so nothing can come between the commands of the block. A worker
//! that keeps the data longer than atomic-max-ms is killed: the data is everybody's.

use std::collections::VecDeque;

use crate::config::Key;
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::plan::Argument;
use crate::worker::{Token, WorkerId};

/// Whom the host serves alone, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub worker: WorkerId,
    pub until_ms: i64,
}

#[derive(Default)]
pub(crate) struct Atomic {
    holder: Option<Lease>,
    waiting: VecDeque<(WorkerId, Token)>,
}

impl Engine {
    /// The worker that has the data to itself.
    pub fn lease(&self) -> Option<Lease> {
        self.atomic.holder
    }

    pub(crate) fn atomic_begin(&mut self, doors: &mut Doors, worker: WorkerId, token: Token) {
        self.atomic.waiting.push_back((worker, token));
        self.grant_lease(doors);
    }

    pub(crate) fn atomic_end(&mut self, doors: &mut Doors, worker: WorkerId, token: Token) {
        if self.atomic.holder.is_none_or(|lease| lease.worker != worker) {
            doors.workers.answer(worker, token, Err("Not inside an atomic block".into()));
            return;
        }
        self.release_lease();
        doors.workers.answer(worker, token, Ok(Argument::None));
        self.grant_lease(doors);
    }

    /// A worker that is gone neither holds nor wants anything.
    pub(crate) fn atomic_forget(&mut self, doors: &mut Doors, worker: WorkerId) {
        self.atomic.waiting.retain(|(waiting, _)| *waiting != worker);
        if self.atomic.holder.is_some_and(|lease| lease.worker == worker) {
            self.release_lease();
        }
        self.grant_lease(doors);
    }

    pub(crate) fn cut_off_lease(&mut self, doors: &mut Doors) {
        let Some(lease) = self.atomic.holder else { return };
        let max_ms = self.config.number(Key::AtomicMaxMs);
        let cause = format!(
            "worker was killed: atomic() held the data longer than atomic-max-ms ({max_ms})"
        );
        let session = self.sessions.by_worker.get(&lease.worker);
        self.kill_worker(doors, *session.expect("a lease ends with its worker"), &cause);
    }

    fn grant_lease(&mut self, doors: &mut Doors) {
        if self.atomic.holder.is_some() {
            return;
        }
        let Some((worker, token)) = self.atomic.waiting.pop_front() else { return };
        let until_ms = doors.host.now_ms() + self.config.number(Key::AtomicMaxMs);
        self.atomic.holder = Some(Lease { worker, until_ms });
        self.deadlines.insert((until_ms, Due::Lease));
        doors.workers.answer(worker, token, Ok(Argument::None));
    }

    fn release_lease(&mut self) {
        if let Some(lease) = self.atomic.holder.take() {
            self.deadlines.remove(&(lease.until_ms, Due::Lease));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, WORKER};
    use crate::worker::FromWorker;

    const OTHER: WorkerId = WorkerId(1);

    fn two_sessions() -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE one");
        stage.command("RG.PYEXECUTE two");
        stage.sent();
        stage
    }

    fn begin(stage: &mut Stage, worker: WorkerId, token: u64) {
        stage.from(worker, FromWorker::AtomicBegin { token: Token(token) });
    }

    fn end(stage: &mut Stage, worker: WorkerId, token: u64) {
        stage.from(worker, FromWorker::AtomicEnd { token: Token(token) });
    }

    #[test]
    fn the_data_is_lent_to_one_worker_after_the_other() {
        let mut stage = two_sessions();
        begin(&mut stage, WORKER, 1);
        begin(&mut stage, OTHER, 2);
        assert_eq!(stage.engine.lease(), Some(Lease { worker: WORKER, until_ms: 5000 }));
        assert_eq!(stage.sent(), ["answer w0 t1 None"]);
        end(&mut stage, WORKER, 3);
        assert_eq!(stage.sent(), ["answer w0 t3 None", "answer w1 t2 None"]);
        assert_eq!(stage.engine.lease().unwrap().worker, OTHER);
        end(&mut stage, OTHER, 4);
        assert_eq!(stage.engine.lease(), None);
    }

    #[test]
    fn nobody_ends_what_he_did_not_begin() {
        let mut stage = two_sessions();
        begin(&mut stage, WORKER, 1);
        stage.sent();
        end(&mut stage, OTHER, 2);
        assert_eq!(stage.sent(), ["answer w1 t2 raise Not inside an atomic block"]);
        assert!(stage.engine.lease().is_some());
    }

    #[test]
    fn nothing_else_is_done_while_the_data_is_lent() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        stage.command("RG.TRIGGER t");
        begin(&mut stage, OTHER, 1);
        stage.loaded(OTHER);
        assert!(!stage.engine.has_work());
        end(&mut stage, OTHER, 2);
        assert!(stage.engine.has_work());
    }

    #[test]
    fn a_worker_that_keeps_the_data_too_long_is_ended() {
        let mut stage = two_sessions();
        begin(&mut stage, WORKER, 1);
        begin(&mut stage, OTHER, 2);
        stage.sent();
        assert_eq!(stage.engine.next_deadline_ms().map(|at_ms| at_ms.min(5000)), Some(100));
        stage.at(4999);
        assert!(stage.engine.lease().is_some_and(|lease| lease.worker == WORKER));
        stage.at(5000);
        assert!(stage.reply().contains("atomic-max-ms (5000)"));
        assert_eq!(stage.sent(), ["kill w0", "answer w1 t2 None"]);
        assert_eq!(stage.engine.lease().unwrap().until_ms, 10_000);
    }

    #[test]
    fn a_worker_that_dies_lets_go() {
        let mut stage = two_sessions();
        begin(&mut stage, WORKER, 1);
        begin(&mut stage, OTHER, 2);
        stage.crash(OTHER);
        stage.crash(WORKER);
        assert_eq!(stage.engine.lease(), None);
        assert_eq!(stage.engine.next_deadline_ms(), Some(100));
    }
}
