//! Between two turns: how long the loop sleeps, and where it looks before it does.

use std::time::Duration;
use std::{hint, io, thread};

use mio::Events;

use super::Server;
use super::cron::CRON_INTERVAL_MS;
use crate::state::State;

/// Looks into mailboxes for one question to the kernel.
const LOOKS: usize = 8;
/// So many turns for mail at most come between two questions to the kernel.
const MAIL_TURNS_MAX: usize = 16;

impl Server {
    pub(super) fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        events.clear();
        let patience = self.patience();
        let poll = &mut self.poll;
        let mut wait = |patience| match poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(false)
            }
            result => result.map(|()| !events.is_empty()),
        };
        // A function that has what it waited for mostly asks for the next thing, or ends, at once.
        let expects_worker = std::mem::take(&mut self.state.gears.expects_worker);
        if patience.is_zero() {
            wait(patience)?;
            return Ok(());
        }
        let state = &mut self.state;
        if expects_worker {
            // However quickly functions call: the sockets are not forgotten.
            self.mail_turns = (self.mail_turns + 1) % MAIL_TURNS_MAX;
            if self.mail_turns == 0 && wait(Duration::ZERO)? {
                return Ok(());
            }
            let mut is_there = || Ok(has_mail_soon(state) || wait(Duration::ZERO)?);
            if self.spin.look::<io::Error>(&mut is_there)? {
                return Ok(());
            }
        }
        let may_sleep = crate::gears::fall_asleep(state);
        let waited = wait(if may_sleep { patience } else { Duration::ZERO });
        crate::gears::wake_up(state);
        waited.map(drop)
    }

    /// How long the loop may sleep.
    fn patience(&self) -> Duration {
        let state = &self.state;
        if !self.readable.is_empty()
            || !self.runnable.is_empty()
            || state.gears.has_work()
            || state.clients.have_unfinished()
            || state.keyspace.has_ready_keys()
        {
            return Duration::ZERO;
        }
        let now_ms = self.state.clock.unix_ms();
        let deadlines = [
            Some(self.next_cron_ms),
            self.cron_is_behind().then_some(now_ms + 1),
            self.state.blocking.next_deadline_ms(),
            self.state.gears.next_deadline_ms(),
        ];
        let next_ms = deadlines.into_iter().flatten().min().unwrap_or(now_ms);
        Duration::from_millis((next_ms - now_ms).clamp(0, CRON_INTERVAL_MS) as u64)
    }
}

/// Looking into memory costs less than asking the kernel: it is done that much more often. And the function may be
/// waiting for this very processor.
fn has_mail_soon(state: &State) -> bool {
    (0..LOOKS).any(|_| {
        thread::yield_now();
        (0..LOOKS).any(|_| {
            hint::spin_loop();
            crate::gears::has_mail(state)
        })
    })
}
