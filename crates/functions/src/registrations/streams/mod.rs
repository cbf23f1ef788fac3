//! Registrations on streams: entries in batches, each acknowledged when it is done with.
//!
//! One execution a stream at a time; where a failure does not stop what follows, the next ones are read and sent along
//! meanwhile, and wait in the worker. The first touch of a stream reads what was delivered before and never
//! acknowledged; from then on a batch starts when enough entries wait, or when the oldest has waited long enough.

mod backlog;
mod batches;
mod ends;
mod epochs;
mod failures;
#[cfg(test)]
mod play;
mod search;
#[cfg(test)]
mod testing;

use std::collections::HashMap;

use super::dead_letters::Failures;
use super::{GivingUp, Mode, Pattern, Registration, Trigger};
use crate::engine::Engine;
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{StreamRun, Trim};

use backlog::Backlog;
pub(crate) use failures::{Failure, FailurePolicy};
pub(crate) use search::StreamSearch;

/// The event that makes a stream grow.
pub(super) const EVENT: &str = "xadd";

/// Executions of a stream that are on their way together, and entries in them that are enough to keep the worker busy.
const UNDER_WAY_MAX: u64 = 4;
const UNDER_WAY_ENTRIES: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamStatus {
    Ok,
    WaitingForRetry,
    Aborted,
    Paused,
}

impl StreamStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            StreamStatus::Ok => "OK",
            StreamStatus::WaitingForRetry => "WAITING_FOR_RETRY_ON_FAILURE",
            StreamStatus::Aborted => "ABORTED",
            StreamStatus::Paused => "PAUSED",
        }
    }
}

/// What `register()` says.
pub(crate) struct StreamOptions {
    pub(crate) pattern: Pattern,
    pub(crate) batch: u64,
    pub(crate) duration_ms: i64,
    pub(crate) policy: FailurePolicy,
    pub(crate) retry_s: i64,
    pub(crate) trims: bool,
    pub(crate) giving_up: GivingUp,
}

pub(crate) struct StreamTrigger {
    pub(crate) options: StreamOptions,
    /// Executions of one stream that may be under way.
    under_way_max: u64,
    pub(crate) status: StreamStatus,
    pub(crate) last_lag_ms: i64,
    pub(crate) total_lag_ms: i64,
    /// Grows with every fresh start; what an older epoch read is not acknowledged but read again.
    epoch: u64,
    streams: HashMap<Box<[u8]>, Backlog>,
    failures: Failures,
}

impl StreamTrigger {
    pub(crate) fn new(options: StreamOptions, mode: Mode) -> Self {
        // Of what would be read again after a failure, nothing is read ahead.
        let reads_ahead = mode != Mode::Sync
            && options.policy == FailurePolicy::Continue
            && options.giving_up.dead_letter.is_none();
        let under_way_max = (UNDER_WAY_ENTRIES / options.batch).clamp(2, UNDER_WAY_MAX);
        StreamTrigger {
            under_way_max: if reads_ahead { under_way_max } else { 1 },
            options,
            status: StreamStatus::Ok,
            last_lag_ms: 0,
            total_lag_ms: 0,
            epoch: 0,
            streams: HashMap::new(),
            failures: Failures::default(),
        }
    }

    /// Where the execution is counted.
    fn backlog_of(&mut self, run: &StreamRun) -> Option<&mut Backlog> {
        let backlog = self.streams.get_mut(&run.key)?;
        (self.epoch == run.epoch && backlog.line == run.line).then_some(backlog)
    }

    /// What goes from the stream when the execution's entries are acknowledged.
    fn trim_after(&mut self, run: &StreamRun) -> Trim {
        if !self.options.trims {
            return Trim::Nothing;
        }
        match self.backlog_of(run) {
            Some(backlog) if !backlog.is_owed => Trim::Processed,
            // Older ones may have been left undone.
            Some(_) | None => Trim::Acknowledged,
        }
    }
}

fn stream_of(registration: &mut Registration) -> Option<&mut StreamTrigger> {
    match &mut registration.trigger {
        Trigger::Stream(stream) => Some(stream),
        Trigger::Keys(_) | Trigger::Command(_) | Trigger::Cron(_) => None,
    }
}

impl Engine {
    fn stream_trigger(&mut self, number: RegistrationNumber) -> Option<&mut StreamTrigger> {
        self.registrations.by_number.get_mut(&number).and_then(stream_of)
    }
}
