//! The engine's share of a turn of the server's loop, and what it asks of the loop.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use functions::Engine;
use functions::worker::{FromWorker, WorkerId};
use worker::{Change, Interest, Pool};

use super::{Gears, unix_ms};
use crate::api::{self, Readiness};
use crate::host;

/// What the engine may take of a turn before clients are served again.
const BUDGET_US: u64 = 1000;

/// How long a descriptor that the loop has no room for may wait.
const UNWATCHED_INTERVAL_MS: i64 = 5;

impl Gears {
    /// The loop is about to sleep: what workers said, what is due, some reading, then everything goes out.
    pub(crate) fn turn(&self) {
        let mut ready = self.ready.take();
        ready.extend(&*self.unwatched.borrow());
        self.receive(|pool, sink| {
            for token in ready {
                pool.ready(token, sink);
            }
            if pool.has_overdue() {
                pool.overdue(sink);
            }
        });
        self.tick_if_due();
        self.run_triggered();
        self.run_calls();
        if self.ask(|engine, _| engine.has_work()) == Some(true) {
            self.with_engine(|engine, doors| engine.work(doors, BUDGET_US));
        }
        self.flush();
        self.serve_lease();
        self.watch_descriptors();
        self.set_timer();
        self.stay_awake();
    }

    /// Takes messages out of the pool, then hands them to the engine.
    fn receive(&self, read: impl FnOnce(&mut Pool, &mut dyn FnMut(WorkerId, FromWorker))) {
        let mut messages = Vec::new();
        self.with_pool(|pool| {
            read(pool, &mut |worker, message| messages.push((worker, message)));
        });
        if messages.is_empty() {
            return;
        }
        self.with_engine(|engine, doors| {
            for (worker, message) in messages {
                engine.from_worker(doors, worker, message);
            }
        });
        self.run_calls();
    }

    fn tick_if_due(&self) {
        let deadline_ms = self.ask(|engine, _| engine.next_deadline_ms()).flatten();
        if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= unix_ms()) {
            self.with_engine(Engine::tick);
        }
    }

    fn flush(&self) {
        let now_ms = unix_ms();
        let said = self.with_pool(|pool| {
            pool.flush(now_ms);
            pool.take_log().collect::<Vec<_>>()
        });
        for (level, line) in said.into_iter().flatten() {
            host::log(&self.server, level, &format!("GEARS: {line}"));
        }
    }

    /// Nobody but one worker is served until it lets go of the data, dies or is cut off.
    fn serve_lease(&self) {
        while self.ask(|engine, _| engine.lease().is_some()) == Some(true) {
            self.serve_borrower();
        }
        self.run_calls();
        self.flush();
    }

    /// Serves the worker that has the data, until it has said something.
    pub(super) fn serve_borrower(&self) {
        self.tick_if_due();
        self.flush();
        let lease = self.ask(|engine, _| Some((engine.lease()?, engine.next_deadline_ms())));
        let Some((lease, deadline_ms)) = lease.flatten() else { return };
        let left_ms = deadline_ms.unwrap_or(lease.until_ms) - unix_ms();
        let left = Duration::from_millis(left_ms.clamp(0, 1000).unsigned_abs());
        self.receive(|pool, sink| {
            pool.wait_one(lease.worker, left, sink);
        });
    }

    /// Tells the loop which descriptors of workers came, changed or went.
    pub(super) fn watch_descriptors(&self) {
        for change in self.with_pool(Pool::take_changes).unwrap_or_default() {
            match change {
                Change::Watch { fd, token, interest } => {
                    self.watch(fd, token, Readiness::Read);
                    if interest == Interest::ReadWrite {
                        self.watch(fd, token, Readiness::Write);
                    }
                }
                Change::Modify { fd, token, interest: Interest::ReadWrite } => {
                    self.watch(fd, token, Readiness::Write);
                }
                // Whatever was not watched need not be let go of, here and below.
                Change::Modify { fd, interest: Interest::Read, .. } => {
                    let _ = api::unwatch(fd, Readiness::Write);
                }
                Change::Forget { fd, token } => {
                    let _ = api::unwatch(fd.as_raw_fd(), Readiness::Read);
                    let _ = api::unwatch(fd.as_raw_fd(), Readiness::Write);
                    self.unwatched.borrow_mut().remove(&token);
                }
            }
        }
    }

    /// The loop has room for as many descriptors as `maxclients` says, and some more.
    fn watch(&self, fd: RawFd, token: u64, readiness: Readiness) {
        if api::watch(fd, token, readiness).is_err() && self.unwatched.borrow_mut().insert(token) {
            self.server.log(
                c"warning",
                "The server's loop has no room for a worker's descriptor, so functions are slow; raise maxclients",
            );
        }
    }

    /// The loop shall not sleep past the engine's next deadline.
    fn set_timer(&self) {
        let deadline_ms = self.ask(|engine, _| engine.next_deadline_ms()).flatten();
        let look_ms =
            (!self.unwatched.borrow().is_empty()).then(|| unix_ms() + UNWATCHED_INTERVAL_MS);
        let deadline_ms = [deadline_ms, look_ms].into_iter().flatten().min();
        let timer = self.timer.get();
        if deadline_ms == timer.map(|(at_ms, _)| at_ms) {
            return;
        }
        if let Some((_, timer)) = timer {
            self.server.stop_timer(timer);
        }
        self.timer.set(
            deadline_ms.map(|at_ms| (at_ms, self.server.start_timer((at_ms - unix_ms()).max(0)))),
        );
    }

    /// With work left, the loop looks after its clients and comes back at once.
    fn stay_awake(&self) {
        let has_work = self.ask(|engine, pool| {
            engine.has_work() || engine.has_calls() || pool.has_overdue() || pool.has_unsent()
        });
        if has_work == Some(true) && !self.waking.get() {
            self.waking.set(api::wake_loop().is_ok());
        }
    }
}
