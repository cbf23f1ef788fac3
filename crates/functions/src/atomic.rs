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
