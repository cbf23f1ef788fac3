//! The data thread, lent to one worker: for `with atomic():`, and for a function that runs inside a command.
//!
//! While it is lent, the host serves that worker alone; so nothing comes between the commands of the block or function.
//! A command of the borrower may trigger the next function inside it: leases lie on each other, and the last one counts.
//! All of them together end when the first has lasted atomic-max-ms: the data is everybody's.

use std::collections::VecDeque;

use crate::config::Key;
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::execution::Stop;
use crate::plan::Argument;
use crate::worker::{ExecutionId, Token, WorkerId};

/// What a borrower that does not let go of the data is mostly about. An afterthought to the errors that end it: from
/// outside nobody can tell what it waits for.
pub(crate) const IN_VAIN: &str = "(whoever has the data must not wait for a connection of its own to this server, \
     nor for execute() in another thread: they are served afterwards)";

/// Whom the host serves alone, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub worker: WorkerId,
    pub until_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Atomic,
    /// A function inside a command.
    Function,
}

/// Whose calls are answered: those of one execution, not of its neighbours in the same worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Borrower {
    worker: WorkerId,
    /// `None`: a script body, or a thread of its own.
    execution: Option<ExecutionId>,
}

#[derive(Default)]
pub(crate) struct Leases {
    /// The first is the longest; the last one counts.
    held: Vec<(Borrower, Use)>,
    /// When all of them end.
    until_ms: i64,
    waiting: VecDeque<(Borrower, Token)>,
}

impl Leases {
    pub(crate) fn depth(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn is_anybody_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a worker's thread may touch the data now. `inside`: a command waits for a function, so that only those
    /// who hold a lease may.
    pub(crate) fn admit(
        &self,
        worker: WorkerId,
        execution: Option<ExecutionId>,
        inside: bool,
    ) -> bool {
        match self.held.last() {
            Some((borrower, _)) => *borrower == Borrower { worker, execution },
            None => !inside,
        }
    }
}

impl Engine {
    /// The worker that has the data to itself.
    pub fn lease(&self) -> Option<Lease> {
        let (borrower, _) = self.leases.held.last()?;
        Some(Lease { worker: borrower.worker, until_ms: self.leases.until_ms })
    }

    pub(crate) fn atomic_begin(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        token: Token,
        execution: Option<ExecutionId>,
    ) {
        self.leases.waiting.push_back((Borrower { worker, execution }, token));
        self.grant_leases(doors);
    }

    pub(crate) fn atomic_end(&mut self, doors: &mut Doors, worker: WorkerId, token: Token) {
        let ends =
            |(borrower, kind): &(Borrower, Use)| borrower.worker == worker && *kind == Use::Atomic;
        let Some(place) = self.leases.held.iter().rposition(ends) else {
            doors.workers.answer(worker, token, Err("Not inside an atomic block".into()));
            return;
        };
        self.leases.held.remove(place);
        doors.workers.answer(worker, token, Ok(Argument::None));
        self.after_release(doors);
    }

    /// A function inside a command gets the data; it never waits for it, since its command has it.
    pub(crate) fn lend_to_function(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        id: ExecutionId,
    ) {
        self.lend(doors, Borrower { worker, execution: Some(id) }, Use::Function);
    }

    pub(crate) fn take_back_from_function(&mut self, doors: &mut Doors, id: ExecutionId) {
        let held = self.leases.held.len();
        self.leases
            .held
            .retain(|(borrower, kind)| *kind == Use::Atomic || borrower.execution != Some(id));
        if self.leases.held.len() < held {
            self.after_release(doors);
        }
    }

    /// A worker that is gone neither holds nor wants anything.
    pub(crate) fn take_back_from_worker(&mut self, doors: &mut Doors, worker: WorkerId) {
        self.leases.waiting.retain(|(waiting, _)| waiting.worker != worker);
        self.leases.held.retain(|(borrower, _)| borrower.worker != worker);
        self.calls.retain(|call| !call.is_of(worker));
        self.cancel_calls_of_worker(doors, worker);
        self.after_release(doors);
    }

    /// The time is over: whoever has the data now is ended, then those below it.
    pub(crate) fn cut_off_leases(&mut self, doors: &mut Doors) {
        let Some((borrower, kind)) = self.leases.held.last().copied() else { return };
        let max_ms = self.config.number(Key::AtomicMaxMs);
        match (kind, borrower.execution) {
            (Use::Function, Some(id)) => self.cut_off_inside(doors, id, Stop::Held { max_ms }),
            _ => {
                let cause = format!(
                    "worker was killed: atomic() held the data longer than atomic-max-ms ({max_ms}) {IN_VAIN}"
                );
                let session = self.sessions.by_worker.get(&borrower.worker);
                let session = *session.expect("a lease ends with its worker");
                self.kill_worker(doors, session, &cause);
            }
        }
    }

    /// Lends the data to those who wait for it and may have it now.
    pub(crate) fn grant_leases(&mut self, doors: &mut Doors) {
        let inside = self.is_inside_a_command();
        let leases = &self.leases;
        let next = leases
            .waiting
            .iter()
            .position(|(borrower, _)| leases.admit(borrower.worker, borrower.execution, inside));
        let Some((borrower, token)) = next.and_then(|next| self.leases.waiting.remove(next)) else {
            return;
        };
        self.lend(doors, borrower, Use::Atomic);
        doors.workers.answer(borrower.worker, token, Ok(Argument::None));
    }

    fn lend(&mut self, doors: &mut Doors, borrower: Borrower, kind: Use) {
        if self.leases.held.is_empty() {
            let until_ms = doors.host.now_ms() + self.config.number(Key::AtomicMaxMs);
            self.leases.until_ms = until_ms;
            self.deadlines.insert((until_ms, Due::Lease));
        }
        self.leases.held.push((borrower, kind));
    }

    fn after_release(&mut self, doors: &mut Doors) {
        let until_ms = self.leases.until_ms;
        if self.leases.held.is_empty() {
            self.deadlines.remove(&(until_ms, Due::Lease));
        } else if until_ms <= doors.host.now_ms() {
            // The one that was cut off is gone; those below it have had their time as well.
            self.deadlines.insert((until_ms, Due::Lease));
        }
        self.grant_leases(doors);
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
        stage.from(worker, FromWorker::AtomicBegin { token: Token(token), execution: None });
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
