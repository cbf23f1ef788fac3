//! What follows when an execution on a stream is over.

use super::{EVENT, Failure, FailurePolicy, StreamStatus, stream_of};
use crate::engine::{Doors, Engine};
use crate::execution::Status;
use crate::host::Level;
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{self, Portion, StreamRun, Trim};
use crate::registrations::Trigger;

impl Engine {
    /// An execution on a stream is over. Gives the stream, if there may be more to do on it.
    pub(crate) fn stream_run_ended(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: StreamRun,
        status: Status,
        failure: Option<Failure>,
    ) -> Option<Box<[u8]>> {
        let now_ms = doors.host.now_ms();
        let registration = self.registrations.by_number.get_mut(&number)?;
        let retired = registration.retired;
        let trigger = stream_of(registration)?;
        let is_current = trigger.epoch == run.epoch;
        // Whom no thread had taken up has no part in a worker's death, nor in what the policy makes of it.
        let was_left_undone =
            status == Status::Aborted || failure.is_some_and(|failure| !failure.had_begun);
        if let Some(backlog) = trigger.backlog_of(&run) {
            backlog.end(&run);
            if was_left_undone {
                backlog.owe(&run);
                return (!retired).then_some(run.key);
            }
        }
        // Its stream was forgotten, and is read again when it is found again; unless it could not be read at all.
        if was_left_undone && (status == Status::Aborted || !run.read.is_empty()) {
            return None;
        }
        if let Some(since_ms) = run.since_ms {
            trigger.last_lag_ms = now_ms - since_ms;
            trigger.total_lag_ms += trigger.last_lag_ms;
        }

        let policy = trigger.options.policy;
        match failure {
            Some(failure) if failure.error.starts_with("PAUSE") => self.pause_stream(doors, number),
            Some(_) if policy == FailurePolicy::Abort => trigger.status = StreamStatus::Aborted,
            Some(failure) if is_current => {
                return self.stream_run_failed(doors, number, run, failure);
            }
            None if is_current => {
                if run.portion != Portion::Oldest || run.read.is_empty() {
                    trigger.failures.forget(&run.key);
                }
                self.acknowledge_run(doors, number, &run);
                return (!retired).then_some(run.key);
            }
            Some(_) | None => {}
        }
        None
    }

    pub(super) fn acknowledge_run(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: &StreamRun,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let trim = match trigger.trim_after(run) {
            // Older entries may be with another one: all of them are one consumer of one group.
            Trim::Processed if self.is_shared(number, &run.key) => Trim::Acknowledged,
            trim => trim,
        };
        if let Err(error) = stream::acknowledge(doors.host, &run.key, run.read.iter(), trim) {
            doors
                .host
                .log(Level::Warning, &format!("cannot acknowledge entries of a stream: {error}"));
        }
    }

    /// Whether another registration reads the stream as well.
    fn is_shared(&self, number: RegistrationNumber, key: &[u8]) -> bool {
        let mut concerned = Vec::new();
        self.registrations.events.find(EVENT, key, &mut concerned);
        concerned.into_iter().filter(|other| *other != number).any(|other| {
            let registration = self.registrations.by_number.get(&other);
            registration
                .is_some_and(|registration| matches!(registration.trigger, Trigger::Stream(_)))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Argument;
    use crate::registrations::streams::testing::{
        PENDING, SUMMARY, entries, new_entries, pending, registered,
    };
    use crate::testing::{WORKER, id, plan, text};
    use crate::worker::{ExitReason, FromWorker, WorkerId};

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
    fn what_another_registration_of_the_stream_has_is_not_removed() {
        let mut stage = registered(&[]);
        stage.register(WORKER, 1, plan("KeysReader", &[]), &[("prefix", text("s"))]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.done(WORKER, 3, vec![]);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        stage.register(WORKER, 2, plan("StreamReader", &[]), &[("prefix", text("s*"))]);
        stage.grows(2, &["2-1"]);
        stage.calls();
        stage.answers(&[(SUMMARY, &pending("1-5"))]);
        stage.done(WORKER, 4, vec![]);
        let acknowledged = ["XACK s __gears_consumer_group__ 2-1", SUMMARY, "XTRIM s MINID 1-5"];
        assert_eq!(stage.calls(), acknowledged);
    }

    #[test]
    fn what_others_have_acknowledged_meanwhile_is_removed_with_the_last_one() {
        let mut stage = registered(&[]);
        stage.register(WORKER, 1, plan("StreamReader", &[]), &[("prefix", text("s*"))]);
        stage.grows(1, &["1-1"]);
        let nothing = "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n";
        let groups = "*2\r\n*4\r\n$4\r\nname\r\n$5\r\nother\r\n$17\r\nlast-delivered-id\r\n$3\r\n9-9\r\n\
             *4\r\n$4\r\nname\r\n$24\r\n__gears_consumer_group__\r\n$17\r\nlast-delivered-id\r\n$3\r\n4-1\r\n";
        stage.answers(&[(SUMMARY, nothing), ("XINFO GROUPS s", groups)]);
        stage.done(WORKER, 3, vec![]);
        assert!(stage.calls().contains(&"XTRIM s MINID 4-2".into()));
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
    fn what_had_not_begun_when_the_worker_died_is_read_again() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.calls();
        stage.sent();
        stage.answers(&[(SUMMARY, &pending("2-1"))]);
        stage.from(WORKER, FromWorker::Exited { reason: ExitReason::Signal(9) });
        let acknowledged = ["XACK s __gears_consumer_group__ 1-1", SUMMARY, "XTRIM s MINID 2-1"];
        assert_eq!(stage.calls(), acknowledged);
        assert_eq!(stage.statistics().2, 1);
        stage.answers(&[(PENDING, &entries(&["2-1"]))]);
        stage.from(WorkerId(1), FromWorker::Loaded { error: None });
        stage.work();
        assert_eq!(stage.sent().last().unwrap(), "invoke w1 e4 f0 [s@2-1:1] in line 0");
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

    #[test]
    fn entries_that_came_while_others_were_on_their_way_to_a_dead_worker_are_not_overlooked() {
        let mut stage = registered(&[]);
        for n in 1..=5 {
            stage.grows(n, &[&format!("{n}-1")]);
        }
        stage.crash(WORKER);
        stage.answers(&[
            (PENDING, &entries(&["2-1", "3-1", "4-1"])),
            (&new_entries(1), &entries(&["5-1"])),
        ]);
        stage.loaded(WorkerId(1));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w1 e6 f0 [s@2-1:1, s@3-1:1, s@4-1:1] in line 0"]);
        stage.done(WorkerId(1), 6, vec![]);
        assert_eq!(stage.sent(), ["invoke w1 e7 f0 [s@5-1:1] in line 0"]);
    }

    #[test]
    fn what_was_not_read_yet_when_the_worker_died_does_not_overtake_what_was() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.event("xadd", "s");
        stage.crash(WORKER);
        stage.answers(&[(PENDING, &entries(&["2-1"])), (&new_entries(1), &entries(&["3-1"]))]);
        stage.loaded(WorkerId(1));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w1 e5 f0 [s@2-1:1] in line 0"]);
        stage.done(WorkerId(1), 5, vec![]);
        assert_eq!(stage.sent(), ["invoke w1 e6 f0 [s@3-1:1] in line 0"]);
    }

    #[test]
    fn an_unregistered_stream_leaves_what_had_not_begun_when_the_worker_died() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.calls();
        stage.answers(&[(SUMMARY, &pending("2-1"))]);
        stage.crash(WORKER);
        let acknowledged = ["XACK s __gears_consumer_group__ 1-1", SUMMARY, "XTRIM s MINID 2-1"];
        assert_eq!(stage.calls(), acknowledged);
    }

    #[test]
    fn what_was_left_unacknowledged_is_read_first_even_if_the_first_attempt_is_aborted() {
        let mut stage = registered(&[]);
        stage.event("xadd", "s");
        assert_eq!(stage.command(&format!("RG.ABORTEXECUTION {}", id(1))), "+OK|");
        stage.calls();
        stage.answers(&[("XLEN s", ":1\r\n"), (PENDING, &entries(&["1-1"]))]);
        stage.sent();
        stage.work();
        assert_eq!(stage.calls(), [PENDING]);
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn what_is_aborted_before_it_began_is_neither_trimmed_with_what_followed_it_nor_left_alone() {
        let mut stage = registered(&[]);
        for n in 1..=3 {
            stage.grows(n, &[&format!("{n}-1")]);
        }
        assert_eq!(stage.command(&format!("RG.ABORTEXECUTION {}", id(3))), "+OK|");
        stage.answers(&[(SUMMARY, &pending("2-1")), (PENDING, &entries(&["2-1"]))]);
        stage.calls();
        stage.sent();
        stage.done(WORKER, 2, vec![]);
        stage.done(WORKER, 4, vec![]);
        let trims: Vec<_> =
            stage.calls().into_iter().filter(|call| call.starts_with("XTRIM")).collect();
        assert_eq!(trims, ["XTRIM s MINID 2-1", "XTRIM s MINID 2-1"]);
        assert_eq!(stage.sent(), ["invoke w0 e6 f0 [s@2-1:1] in line 0"]);
    }

    #[test]
    fn what_is_owed_is_read_first_even_if_functions_could_not_be_restored_at_once() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.crash(WORKER);
        stage.from(WorkerId(1), FromWorker::Loaded { error: Some("not yet".into()) });
        stage.answers(&[(PENDING, &entries(&["2-1"]))]);
        stage.at(60_000);
        stage.loaded(WorkerId(2));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w2 e5 f0 [s@2-1:1] in line 0"]);
    }
}
