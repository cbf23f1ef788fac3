//! What is known of one stream: what waits in it, what is under way, and what is to be read next.

use super::{StreamStatus, StreamTrigger};
use crate::readers::stream::{Portion, StreamRun};
use crate::worker::LineId;

/// One stream that a registration follows.
///
/// An entry waits (`waiting`, and `is_owed` if it was delivered), or an execution has read it, or it is over. Whatever ends
/// an execution that has not done what it was to do brings its entries back by `owe`.
// Invariant: what is owed is read before all that is new, alone; so while `is_owed` or `reads_owed` no execution begins that
// reads new entries, and one that was queued before finds nothing (`would_overtake`).
#[derive(Default)]
pub(super) struct Backlog {
    /// Entries that no execution has, those that are owed included. An estimate: what is deleted is not told. It may be too
    /// high, until a read finds less than it asked for; too low it must not be, or entries are overlooked.
    waiting: u64,
    /// Since when the oldest of them waits; `None` with entries waiting: since before anyone looked.
    pub(super) since_ms: Option<i64>,
    /// Of them, those that executions will read which have not come to it yet.
    // Invariant: the sum over the executions under way that are to read new entries and have not.
    claimed: u64,
    /// Executions that are not over, from `begin` to `end`. The stream's epoch and line tell which ones are counted.
    pub(super) under_way: u64,
    /// Entries were delivered and not acknowledged, and no execution has them. As long as that is so, nothing is trimmed
    /// but what is older than they are.
    pub(super) is_owed: bool,
    /// An execution is under way that reads or has read what was owed.
    // Invariant: it is the only one that is under way.
    reads_owed: bool,
    pub(super) line: Option<LineId>,
    /// When it is looked at again, whatever happens.
    pub(super) timer_ms: Option<i64>,
}

impl Backlog {
    /// Before the first touch of the stream. `since_ms`: `None` if nobody knows how long they have waited.
    pub(super) fn new(waiting: u64, since_ms: Option<i64>) -> Self {
        Backlog { waiting, since_ms, is_owed: true, ..Backlog::default() }
    }

    /// An entry was added.
    pub(super) fn grow(&mut self, now_ms: i64) {
        if self.waiting == 0 {
            self.since_ms = Some(now_ms);
        }
        self.waiting += 1;
    }

    /// An execution is on its way.
    pub(super) fn begin(&mut self, portion: Portion) {
        debug_assert!(!self.reads_owed, "what is owed is read alone");
        debug_assert!(self.under_way == 0 || matches!(portion, Portion::New { .. }));
        self.under_way += 1;
        match portion {
            Portion::Unacknowledged => (self.is_owed, self.reads_owed) = (false, true),
            // Until nothing is owed.
            Portion::Oldest => self.is_owed = false,
            Portion::New { count } => self.claimed += count,
        }
    }

    /// An execution has come to reading: `live` entries wait no more.
    pub(super) fn read(&mut self, portion: Portion, live: u64, now_ms: i64) {
        self.unclaim(portion);
        match portion {
            Portion::Unacknowledged => self.waiting = self.waiting.saturating_sub(live),
            // They were counted when their batch was read; and if not, one read too many does no harm.
            Portion::Oldest => {}
            // The stream had no more: whatever the estimate said, nothing waits.
            Portion::New { count } if live < count => self.waiting = 0,
            Portion::New { .. } => {
                self.waiting = self.waiting.saturating_sub(live);
                self.since_ms = Some(now_ms);
            }
        }
    }

    /// An execution is over.
    pub(super) fn end(&mut self, run: &StreamRun) {
        self.under_way -= 1;
        self.reads_owed &= self.under_way > 0;
        if !run.was_read {
            self.unclaim(run.portion);
        }
    }

    /// An execution is over that has not done what it was to do: its entries wait again.
    pub(super) fn owe(&mut self, run: &StreamRun) {
        self.is_owed |= run.portion == Portion::Unacknowledged || !run.read.is_empty();
        // Those of the oldest one were not counted as read.
        if run.portion != Portion::Oldest {
            self.waiting += run.read.iter().count() as u64;
        }
    }

    /// An execution that was to read new entries would overtake those that are owed.
    pub(super) fn would_overtake(&self, run: &StreamRun) -> bool {
        self.is_owed && matches!(run.portion, Portion::New { .. })
    }

    fn unclaim(&mut self, portion: Portion) {
        if let Portion::New { count } = portion {
            self.claimed -= count;
        }
    }
}

pub(super) enum Decision {
    Idle,
    Run(Portion),
    LookAgainAt(i64),
}

impl StreamTrigger {
    pub(super) fn decide(&self, key: &[u8], backlog: &Backlog, now_ms: i64) -> Decision {
        let is_alone = backlog.under_way == 0;
        if self.status != StreamStatus::Ok || backlog.under_way >= self.under_way_max {
            return Decision::Idle;
        }
        if self.failures.is_one_by_one(key) {
            return Decision::Run(Portion::Oldest);
        }
        if backlog.is_owed || backlog.reads_owed {
            return if is_alone { Decision::Run(Portion::Unacknowledged) } else { Decision::Idle };
        }
        let waiting = backlog.waiting.saturating_sub(backlog.claimed);
        let run = Decision::Run(Portion::New { count: self.options.batch });
        if waiting >= self.options.batch {
            return run;
        }
        if waiting == 0 || !is_alone {
            return Decision::Idle;
        }
        let Some(since_ms) = backlog.since_ms else { return run };
        match self.options.duration_ms {
            0 => Decision::Idle,
            duration if now_ms - since_ms >= duration => run,
            duration => Decision::LookAgainAt(since_ms.saturating_add(duration)),
        }
    }
}
