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
        if self.enqueue(doors, number, Input::Stream(Box::new(run))).is_err() {
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

    /// A stream that cannot be read is left alone until it grows again: trying on would never end.
    pub(super) fn stream_is_unreadable(&mut self, number: RegistrationNumber, key: &[u8]) {
        if let Some(trigger) = self.stream_trigger(number) {
            trigger.streams.remove(key);
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

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};

    const PENDING: &str = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS s 0";
    const NOTHING: &str = "*-1\r\n";

    fn new_entries(count: usize) -> String {
        format!(
            "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ COUNT {count} STREAMS s >"
        )
    }

    fn entries(ids: &[&str]) -> String {
        let mut wire = format!("*1\r\n*2\r\n$1\r\ns\r\n*{}\r\n", ids.len());
        for id in ids {
            let length = id.len();
            wire += &format!("*2\r\n${length}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        }
        wire
    }

    fn registered(kwargs: &[(&str, Argument)]) -> Stage {
        let mut kwargs = kwargs.to_vec();
        kwargs.push(("prefix", text("s")));
        let mut stage = Stage::registered(plan("StreamReader", &[StepKind::ForEach]), &kwargs);
        stage.answers(&[("XLEN s", ":0\r\n"), (PENDING, NOTHING), (&new_entries(1), NOTHING)]);
        stage.work();
        stage
    }

    impl Stage {
        fn answers(&mut self, answers: &[(&str, &str)]) {
            for (command, answer) in answers {
                self.host.answers.insert(command.to_string(), answer.to_string());
            }
        }

        /// The stream gets an entry, its first touch included.
        fn grows(&mut self, length: u64, ids: &[&str]) {
            self.answers(&[
                ("XLEN s", &format!(":{length}\r\n")),
                (&new_entries(1), &entries(ids)),
            ]);
            self.event("xadd", "s");
            self.work();
        }

        fn calls(&mut self) -> Vec<String> {
            std::mem::take(&mut self.host.calls)
        }

        fn status(&mut self) -> &'static str {
            let number = self.engine.registrations.listed().next().unwrap().0;
            self.engine.stream_trigger(number).unwrap().status.name()
        }
    }

    #[test]
    fn the_first_entry_is_read_after_what_was_left_unacknowledged() {
        let mut stage = registered(&[]);
        stage.calls();
        stage.grows(1, &["1-1"]);
        assert_eq!(stage.calls(), ["XLEN s", PENDING, &new_entries(1)]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
        let (triggered, succeeded, ..) = stage.statistics();
        assert_eq!((triggered, succeeded), (2, 1));
    }

    #[test]
    fn entries_are_acknowledged_and_removed_when_their_execution_is_done() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.statistics(), (2, 2, 0, 0, None));
    }

    #[test]
    fn a_registration_may_leave_entries_in_the_stream() {
        let mut stage = registered(&[("trimStream", Argument::Bool(false))]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1"]);
    }

    #[test]
    fn the_group_comes_into_being_with_the_first_read() {
        let mut stage = registered(&[]);
        stage.answers(&[(PENDING, "-NOGROUP No such group\r\n")]);
        stage.calls();
        stage.grows(1, &[]);
        assert!(stage.calls().contains(&"XGROUP CREATE s __gears_consumer_group__ 0".to_string()));
    }

    #[test]
    fn one_execution_runs_on_a_stream_at_a_time() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
        stage.done(WORKER, 2, vec![]);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@2-1:1]"]);
    }

    #[test]
    fn a_batch_waits_until_it_is_full() {
        let mut stage = registered(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        assert_eq!(stage.sent(), [""; 0]);
        stage.grows(2, &[]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1, s@2-1:1]"]);
    }

    #[test]
    fn a_partial_batch_runs_when_its_oldest_entry_has_waited_long_enough() {
        let mut stage = registered(&[("batch", Argument::Int(2)), ("duration", Argument::Int(50))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1"]))]);
        stage.grows(1, &[]);
        stage.at(49);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(50);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
    }

    #[test]
    fn entries_from_before_the_registration_run_at_once() {
        let mut stage = Stage::new();
        stage.answers(&[
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(9), &entries(&["1-1"])),
        ]);
        stage.command("RG.PYEXECUTE code");
        let kwargs = [("prefix", text("s")), ("batch", Argument::Int(9))];
        stage.register(WORKER, 0, plan("StreamReader", &[]), &kwargs);
        stage.script_done(WORKER);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
    }

    #[test]
    fn streams_with_a_prefix_are_looked_for_over_the_whole_keyspace() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("StreamReader", &[]), &[("prefix", text("s*"))]);
        stage.script_done(WORKER);
        let scan = |cursor| format!("SCAN {cursor} MATCH s* COUNT 1000 TYPE stream");
        stage.answers(&[
            (&scan(0), "*2\r\n$1\r\n5\r\n*0\r\n"),
            (&scan(5), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\ns\r\n"),
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(1), &entries(&["1-1"])),
        ]);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
    }

    #[test]
    fn a_failure_is_passed_over_by_default() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls().len(), 2);
        assert_eq!(stage.statistics(), (2, 1, 1, 0, Some("no".into())));
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn a_failure_may_end_it_all() {
        let mut stage = registered(&[("onFailedPolicy", text("Abort"))]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), [""; 0]);
        assert_eq!(stage.status(), "ABORTED");
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.statistics().0, 2);
    }

    #[test]
    fn a_failure_may_be_tried_again_with_the_same_entries() {
        let kwargs =
            [("onFailedPolicy", text("retry")), ("onFailedRetryInterval", Argument::Int(2))];
        let mut stage = registered(&kwargs);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.sent();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), [""; 0]);
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        stage.at(1999);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(2000);
        stage.work();
        assert_eq!(stage.status(), "OK");
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1]"]);
    }

    #[test]
    fn an_error_may_ask_for_a_pause() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "PAUSE");
        assert_eq!(stage.status(), "PAUSED");
        assert_eq!(stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1))), "+OK|");
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn a_paused_registration_ends_its_batch_and_starts_no_other() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        assert_eq!(stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1))), "+OK|");
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls()[0], "XACK s __gears_consumer_group__ 1-1");
        stage.sent();
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_batch_of_an_older_epoch_is_not_acknowledged() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1)));
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert!(!stage.calls().iter().any(|call| call.starts_with("XACK")));
    }

    #[test]
    fn a_stream_that_cannot_be_read_is_not_tried_for_ever() {
        let mut stage = registered(&[]);
        stage.answers(&[(PENDING, "-WRONGTYPE no stream\r\n")]);
        stage.grows(1, &["1-1"]);
        assert!(!stage.engine.has_work());
        assert_eq!(stage.statistics().4.unwrap(), "WRONGTYPE no stream");
    }

    #[test]
    fn only_streams_can_be_paused() {
        let mut stage = Stage::with_trigger();
        assert_eq!(
            stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1))),
            "-Reader CommandReader does not support pause|"
        );
        assert!(stage.command("RG.PAUSEREGISTRATIONS x").contains("does not exists on shard"));
    }

    #[test]
    fn an_unregistered_stream_acknowledges_the_batch_that_runs() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.calls();
        stage.sent();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls()[0], "XACK s __gears_consumer_group__ 1-1");
        assert_eq!(stage.sent(), ["forget w0 f0", "kill w0"]);
    }
}
