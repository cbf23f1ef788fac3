//! Registrations on streams: entries in batches, each acknowledged when it is done with.
//!
//! One execution a stream at a time. The first touch of a stream reads what was delivered before and never
//! acknowledged; from then on a batch starts when enough entries wait, or when the oldest has waited long enough.

use std::collections::HashMap;

use super::{Pattern, Registration, Trigger};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::execution::{Input, Status};
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{self, Portion, StreamRun, Trim};

/// The event that makes a stream grow.
pub(super) const EVENT: &str = "xadd";

/// How soon a stream is looked at again that the full queue turned away.
const QUEUE_RETRY_MS: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailurePolicy {
    Continue,
    Abort,
    Retry,
}

impl FailurePolicy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            FailurePolicy::Continue => "continue",
            FailurePolicy::Abort => "abort",
            FailurePolicy::Retry => "retry",
        }
    }
}

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

pub(crate) struct StreamTrigger {
    pub(crate) pattern: Pattern,
    pub(crate) batch: u64,
    pub(crate) duration_ms: i64,
    pub(crate) policy: FailurePolicy,
    pub(crate) retry_s: i64,
    pub(crate) trims: bool,
    pub(crate) status: StreamStatus,
    pub(crate) last_lag_ms: i64,
    pub(crate) total_lag_ms: i64,
    /// Grows with every fresh start; what an older epoch read is not acknowledged but read again.
    epoch: u64,
    streams: HashMap<Box<[u8]>, Backlog>,
}

/// One stream that a registration follows.
#[derive(Default)]
struct Backlog {
    /// Entries that wait, as far as events tell.
    waiting: u64,
    /// Since when the oldest of them waits; `None` with entries waiting: since before anyone looked.
    since_ms: Option<i64>,
    is_running: bool,
    has_timer: bool,
}

enum Decision {
    Idle,
    Run,
    LookAgainAt(i64),
}

impl StreamTrigger {
    pub(crate) fn new(
        pattern: Pattern,
        batch: u64,
        duration_ms: i64,
        policy: FailurePolicy,
        retry_s: i64,
        trims: bool,
    ) -> Self {
        StreamTrigger {
            pattern,
            batch,
            duration_ms,
            policy,
            retry_s,
            trims,
            status: StreamStatus::Ok,
            last_lag_ms: 0,
            total_lag_ms: 0,
            epoch: 0,
            streams: HashMap::new(),
        }
    }

    fn decide(&self, backlog: &Backlog, now_ms: i64) -> Decision {
        if self.status != StreamStatus::Ok || backlog.is_running || backlog.waiting == 0 {
            return Decision::Idle;
        }
        let Some(since_ms) = backlog.since_ms else { return Decision::Run };
        if backlog.waiting >= self.batch {
            return Decision::Run;
        }
        match self.duration_ms {
            0 => Decision::Idle,
            duration if now_ms - since_ms >= duration => Decision::Run,
            duration => Decision::LookAgainAt(since_ms + duration),
        }
    }
}

/// A walk over the keyspace for streams that were there before their registration.
pub(crate) struct StreamSearch {
    number: RegistrationNumber,
    epoch: u64,
    cursor: Vec<u8>,
}

fn stream_of(registration: &mut Registration) -> Option<&mut StreamTrigger> {
    match &mut registration.trigger {
        Trigger::Stream(stream) => Some(stream),
        Trigger::Keys(_) | Trigger::Command(_) => None,
    }
}

impl Engine {
    fn stream_trigger(&mut self, number: RegistrationNumber) -> Option<&mut StreamTrigger> {
        self.registrations.by_number.get_mut(&number).and_then(stream_of)
    }

    /// An entry was added.
    pub(super) fn stream_grew(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let now_ms = doors.host.now_ms();
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status != StreamStatus::Ok {
            return;
        }
        match trigger.streams.get_mut(key) {
            Some(backlog) => {
                if backlog.waiting == 0 {
                    backlog.since_ms = Some(now_ms);
                }
                backlog.waiting += 1;
                self.consider_stream(doors, number, key);
            }
            None => {
                let waiting = stream::length(doors.host, key);
                // A lone entry is the one that was just added; others are of unknown age.
                let since_ms = (waiting == 1).then_some(now_ms);
                self.touch_stream(
                    doors,
                    number,
                    key,
                    Backlog { waiting, since_ms, ..Backlog::default() },
                );
            }
        }
    }

    fn touch_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        backlog: Backlog,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.streams.insert(key.into(), backlog);
        self.run_stream(doors, number, key, Portion::Unacknowledged);
    }

    /// Starts what is due on a stream.
    pub(crate) fn consider_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let now_ms = doors.host.now_ms();
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get(key) else { return };
        match trigger.decide(backlog, now_ms) {
            Decision::Idle => {}
            Decision::Run => {
                let count = trigger.batch;
                self.run_stream(doors, number, key, Portion::New { count });
            }
            Decision::LookAgainAt(at_ms) => self.look_again(number, key, at_ms),
        }
    }

    fn look_again(&mut self, number: RegistrationNumber, key: &[u8], at_ms: i64) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        if !backlog.has_timer {
            backlog.has_timer = true;
            self.deadlines.insert((at_ms, Due::Stream(number, key.into())));
        }
    }

    pub(crate) fn stream_timer(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        backlog.has_timer = false;
        self.consider_stream(doors, number, key);
    }

    fn run_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        portion: Portion,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let epoch = trigger.epoch;
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        backlog.is_running = true;
        let since_ms = backlog.since_ms;
        let run = StreamRun { key: key.into(), portion, read: Vec::new(), epoch, since_ms };
        if self.enqueue(number, Input::Stream(Box::new(run))).is_err() {
            let at_ms = doors.host.now_ms() + QUEUE_RETRY_MS;
            if let Some(trigger) = self.stream_trigger(number)
                && let Some(backlog) = trigger.streams.get_mut(key)
            {
                backlog.is_running = false;
            }
            self.look_again(number, key, at_ms);
        }
    }

    /// An execution has read its entries: they wait no more.
    pub(super) fn stream_was_read(
        &mut self,
        number: RegistrationNumber,
        run: &StreamRun,
        now_ms: i64,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.epoch != run.epoch {
            return;
        }
        let Some(backlog) = trigger.streams.get_mut(&run.key) else { return };
        let read = run.read.len() as u64;
        match run.portion {
            Portion::Unacknowledged => backlog.waiting = backlog.waiting.saturating_sub(read),
            // The stream had no more: whatever the estimate said, nothing waits.
            Portion::New { count } if read < count => backlog.waiting = 0,
            Portion::New { .. } => {
                backlog.waiting = backlog.waiting.saturating_sub(read);
                backlog.since_ms = Some(now_ms);
            }
        }
    }

    /// An execution on a stream is over.
    pub(crate) fn stream_run_ended(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: StreamRun,
        status: Status,
        error: Option<&str>,
    ) {
        let now_ms = doors.host.now_ms();
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let retired = registration.retired;
        let Some(trigger) = stream_of(registration) else { return };
        let is_current = trigger.epoch == run.epoch;
        if is_current && let Some(backlog) = trigger.streams.get_mut(&run.key) {
            backlog.is_running = false;
        }
        if status == Status::Aborted {
            return;
        }
        if let Some(since_ms) = run.since_ms {
            trigger.last_lag_ms = now_ms - since_ms;
            trigger.total_lag_ms += trigger.last_lag_ms;
        }

        let pauses = error.is_some_and(|error| error.starts_with("PAUSE"));
        match (error, trigger.policy) {
            _ if pauses => self.pause_stream(doors, number),
            (Some(_), FailurePolicy::Abort) => trigger.status = StreamStatus::Aborted,
            (Some(_), FailurePolicy::Retry) => {
                let at_ms = now_ms + trigger.retry_s.saturating_mul(1000);
                if is_current && !retired {
                    self.reset_stream(doors, number, StreamStatus::WaitingForRetry);
                    self.deadlines.insert((at_ms, Due::Retry(number)));
                }
            }
            (None, _) | (Some(_), FailurePolicy::Continue) => {
                if !is_current {
                    return;
                }
                let trim = if trigger.trims { Trim::Processed } else { Trim::Nothing };
                if let Err(error) = stream::acknowledge(doors.host, &run, trim) {
                    doors.host.log(
                        crate::host::Level::Warning,
                        &format!("cannot acknowledge entries of a stream: {error}"),
                    );
                }
                if !retired {
                    self.consider_stream(doors, number, &run.key);
                }
            }
        }
    }

    /// Forgets all backlogs, drops what has not started, and begins a new epoch.
    fn reset_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        status: StreamStatus,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = status;
        trigger.streams.clear();
        self.abort_pending(doors, number);
    }

    /// RG.PAUSEREGISTRATIONS, or an error that asks for it. What runs now ends as usual.
    pub(crate) fn pause_stream(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if matches!(trigger.status, StreamStatus::Ok | StreamStatus::WaitingForRetry) {
            self.reset_stream(doors, number, StreamStatus::Paused);
        }
    }

    pub(crate) fn unpause_stream(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status == StreamStatus::Paused {
            self.follow_streams(number);
        }
    }

    pub(crate) fn retry_stream(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status == StreamStatus::WaitingForRetry {
            self.follow_streams(number);
        }
    }

    /// Looks for streams that are there already: after the registration, a pause, a failure.
    pub(crate) fn follow_streams(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = StreamStatus::Ok;
        trigger.epoch += 1;
        let epoch = trigger.epoch;
        self.searches.push_back(StreamSearch { number, epoch, cursor: b"0".to_vec() });
    }

    /// One step of a search; it is put back if there is more to see.
    pub(crate) fn search_streams(&mut self, doors: &mut Doors, mut search: StreamSearch) {
        let Some(registration) = self.registrations.get_listed(search.number) else { return };
        let Some(trigger) = stream_of(registration) else { return };
        if trigger.epoch != search.epoch || trigger.status != StreamStatus::Ok {
            return;
        }
        let pattern = trigger.pattern.clone();
        let (found, next) = match &pattern {
            Pattern::Exactly(key) if stream::length(doors.host, key) > 0 => {
                (vec![key.clone()], None)
            }
            Pattern::Exactly(_) => (Vec::new(), None),
            Pattern::Prefix(_) => stream::find(doors.host, &pattern.text(), &search.cursor),
        };
        for key in found {
            let Some(trigger) = self.stream_trigger(search.number) else { return };
            if !trigger.streams.contains_key(&key) {
                let waiting = stream::length(doors.host, &key);
                let backlog = Backlog { waiting, ..Backlog::default() };
                self.touch_stream(doors, search.number, &key, backlog);
            }
        }
        if let Some(next) = next {
            search.cursor = next;
            self.searches.push_back(search);
        }
    }
}
