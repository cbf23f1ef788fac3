//! From an entry to an execution: a stream is considered whenever something has changed.

use super::backlog::{Backlog, Decision};
use super::{Mode, StreamStatus};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::execution::{Arguments, Input};
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{self, Entries, Portion, StreamRun};
use crate::registrations::Registration;
use crate::worker::LineId;

/// How soon a stream is looked at again that the full queue turned away.
const QUEUE_RETRY_MS: i64 = 100;

impl Engine {
    /// An entry was added.
    pub(in crate::registrations) fn stream_grew(
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
                backlog.grow(now_ms);
                self.consider_stream(doors, number, key);
            }
            None => {
                let waiting = stream::length(doors.host, key);
                // A lone entry is the one that was just added; others are of unknown age.
                let since_ms = (waiting == 1).then_some(now_ms);
                self.touch_stream(doors, number, key, Backlog::new(waiting, since_ms));
            }
        }
    }

    pub(super) fn touch_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        backlog: Backlog,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.streams.insert(key.into(), backlog);
        self.consider_stream(doors, number, key);
    }

    /// Starts what is due on a stream.
    pub(crate) fn consider_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let now_ms = doors.host.now_ms();
        loop {
            let Some(trigger) = self.stream_trigger(number) else { return };
            let Some(backlog) = trigger.streams.get(key) else { return };
            match trigger.decide(key, backlog, now_ms) {
                Decision::Idle => return,
                Decision::Run(portion) => {
                    if !self.run_stream(doors, number, key, portion) {
                        return;
                    }
                }
                Decision::LookAgainAt(at_ms) => return self.look_again(number, key, at_ms),
            }
        }
    }

    fn look_again(&mut self, number: RegistrationNumber, key: &[u8], at_ms: i64) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        if backlog.timer_ms.is_some_and(|timer_ms| timer_ms <= at_ms) {
            return;
        }
        let later = backlog.timer_ms.replace(at_ms);
        let due = Due::Stream(number, key.into());
        if let Some(later_ms) = later {
            self.deadlines.remove(&(later_ms, due.clone()));
        }
        self.deadlines.insert((at_ms, due));
    }

    pub(crate) fn stream_timer(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        backlog.timer_ms = None;
        self.consider_stream(doors, number, key);
    }

    /// Whether an execution was queued. If the queue is full, a time is set to look again.
    fn run_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        portion: Portion,
    ) -> bool {
        let is_sync = self.registrations.by_number[&number].mode == Mode::Sync;
        if !is_sync && self.is_full(number) {
            // Nothing is lost: the entries wait where they are.
            let at_ms = doors.host.now_ms() + QUEUE_RETRY_MS;
            self.look_again(number, key, at_ms);
            return false;
        }
        let next = LineId(self.lines);
        let Some(trigger) = self.stream_trigger(number) else { return false };
        let (epoch, reads_ahead) = (trigger.epoch, trigger.under_way_max > 1);
        let Some(backlog) = trigger.streams.get_mut(key) else { return false };
        let line = reads_ahead.then(|| *backlog.line.get_or_insert(next));
        let run = StreamRun {
            key: key.into(),
            portion,
            was_read: false,
            read: Arguments::default(),
            epoch,
            line,
            since_ms: backlog.since_ms,
        };
        backlog.begin(portion);
        self.lines += u64::from(line == Some(next));
        self.enqueue(doors, number, Input::Stream(Box::new(run)));
        true
    }

    /// What an execution is about: its entries, read as it starts.
    pub(in crate::registrations) fn read_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: &mut StreamRun,
    ) -> Result<Entries, String> {
        let trigger = self.stream_trigger(number);
        let backlog = trigger.and_then(|trigger| trigger.backlog_of(run));
        if backlog.is_some_and(|backlog| backlog.would_overtake(run)) {
            return Ok(Entries::default());
        }
        let entries = stream::read_group(doors.host, run).inspect_err(|_| {
            self.stream_is_unreadable(number, &run.key);
        })?;
        run.read = entries.ids();
        run.was_read = true;
        let now_ms = doors.host.now_ms();
        let trigger = self.stream_trigger(number);
        if let Some(backlog) = trigger.and_then(|trigger| trigger.backlog_of(run)) {
            // The stream's length was taken for the number of those that wait: deleted ones were not counted.
            backlog.read(run.portion, entries.len() as u64, now_ms);
        }
        Ok(entries)
    }

    /// A stream that cannot be read is left alone until it grows again: trying on would never end.
    fn stream_is_unreadable(&mut self, number: RegistrationNumber, key: &[u8]) {
        if let Some(trigger) = self.stream_trigger(number) {
            trigger.streams.remove(key);
            trigger.failures.forget(key);
        }
    }

    /// Goes on with a stream without waiting for the engine's turn: its function has nothing to do until then.
    pub(crate) fn go_on_with_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        self.consider_stream(doors, number, key);
        let is_sync = |registration: &Registration| registration.mode == Mode::Sync;
        let registration = self.registrations.by_number.get(&number);
        if self.may_work() && !registration.is_none_or(is_sync) {
            self.dispatch(doors, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Argument;
    use crate::registrations::streams::testing::{PENDING, entries, new_entries, registered};
    use crate::testing::{WORKER, plan, text};

    #[test]
    fn the_first_entry_is_read_after_what_was_left_unacknowledged() {
        let mut stage = registered(&[]);
        stage.calls();
        stage.grows(1, &["1-1"]);
        assert_eq!(stage.calls(), ["XLEN s", PENDING, &new_entries(1)]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
        let (triggered, succeeded, ..) = stage.statistics();
        assert_eq!((triggered, succeeded), (2, 1));
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
    fn the_next_executions_of_a_stream_are_sent_along_and_wait_in_its_line() {
        let mut stage = registered(&[]);
        for n in 1..=6 {
            stage.grows(n, &[&format!("{n}-1")]);
        }
        let invoke = |n: u64| format!("invoke w0 e{} f0 [s@{n}-1:1] in line 0", n + 1);
        assert_eq!(stage.sent(), [1, 2, 3, 4].map(invoke));
        let dump = stage.command("RG.DUMPEXECUTIONS");
        assert_eq!((dump.matches("running").count(), dump.matches("created").count()), (1, 3));
        stage.calls();
        stage.answers(&[(&new_entries(1), &entries(&["5-1"]))]);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(
            stage.calls(),
            ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2", &new_entries(1)]
        );
        assert_eq!(stage.sent(), [invoke(5)]);
    }

    #[test]
    fn where_a_failure_stops_what_follows_one_execution_runs_at_a_time() {
        for policy in ["abort", "retry"] {
            let mut stage = registered(&[("onFailedPolicy", text(policy))]);
            stage.grows(1, &["1-1"]);
            stage.grows(2, &["2-1"]);
            assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
            stage.done(WORKER, 2, vec![]);
            stage.work();
            assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@2-1:1]"]);
        }
    }

    #[test]
    fn large_batches_wait_in_smaller_numbers_and_partial_ones_not_at_all() {
        let mut stage = registered(&[("batch", Argument::Int(600))]);
        stage.answers(&[(&new_entries(600), &entries(&["1-1"; 600]))]);
        for n in 1..=2000 {
            stage.grows(n, &[]);
        }
        assert_eq!(stage.sent().len(), 2);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.sent().len(), 1);
        stage.done(WORKER, 3, vec![]);
        stage.done(WORKER, 4, vec![]);
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_batch_waits_until_it_is_full() {
        let mut stage = registered(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        assert_eq!(stage.sent(), [""; 0]);
        stage.grows(2, &[]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1, s@2-1:1] in line 0"]);
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
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
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
    fn a_batch_may_wait_for_ever_for_its_entries() {
        let mut stage =
            registered(&[("batch", Argument::Int(2)), ("duration", Argument::Int(i64::MAX))]);
        stage.at(1000);
        stage.grows(1, &[]);
        stage.at(1_000_000);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_full_batch_that_the_queue_turned_away_does_not_wait_for_its_duration() {
        let kwargs = [("batch", Argument::Int(2)), ("duration", Argument::Int(5000))];
        let mut stage = registered(&kwargs);
        stage.register(WORKER, 1, plan("KeysReader", &[]), &[("prefix", text("k"))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.command("RG.CONFIGSET function-queue-max 1");
        stage.event("set", "k");
        stage.grows(2, &[]);
        stage.sent();
        stage.at(100);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1, s@2-1:1] in line 0"]);
    }
}
