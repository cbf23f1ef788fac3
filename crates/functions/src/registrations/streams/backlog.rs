//! What is known of one stream: what waits in it, what is under way, and what is to be read next.

use super::{StreamStatus, StreamTrigger};
use crate::execution::Status;
use crate::readers::stream::{Portion, StreamRun};
use crate::worker::LineId;

/// One stream that a registration follows.
#[derive(Default)]
pub(super) struct Backlog {
    /// Entries that wait, as far as events tell.
    waiting: u64,
    /// Since when the oldest of them waits; `None` with entries waiting: since before anyone looked.
    pub(super) since_ms: Option<i64>,
    /// Of them, those that executions will read which have not come to it yet.
    claimed: u64,
    /// Executions that are not over.
    pub(super) under_way: u64,
    /// Entries were delivered and not acknowledged: they are to be read alone, before all others.
    pub(super) is_owed: bool,
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
    pub(super) fn end(&mut self, run: &StreamRun, status: Status) {
        self.under_way -= 1;
        self.reads_owed &= self.under_way > 0;
        self.is_owed |= status == Status::Aborted && !run.read.is_empty();
        if !run.was_read {
            self.unclaim(run.portion);
        }
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
