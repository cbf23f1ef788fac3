//! Pauses and fresh starts: a registration forgets all it knows of its streams, and later looks for them anew.

use super::{StreamStatus, stream_of};
use crate::engine::{Doors, Engine};
use crate::execution::{Input, Status};
use crate::identifier::RegistrationNumber;
use crate::worker::{ExecutionId, LineId};

impl Engine {
    /// Forgets all backlogs, drops what has not started, and begins a new epoch.
    pub(super) fn reset_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        status: StreamStatus,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = status;
        self.abort_pending(doors, number);
        if let Some(trigger) = self.stream_trigger(number) {
            trigger.streams.clear();
        }
    }

    /// What is sent of streams and has not begun shall not begin.
    pub(in crate::registrations) fn withdraw_ahead(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
    ) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let session = registration.session;
        let Some(trigger) = stream_of(registration) else { return };
        let busy = trigger.streams.values().filter(|backlog| backlog.under_way > 1);
        let lines: Vec<LineId> = busy.filter_map(|backlog| backlog.line).collect();
        if let Some(worker) = self.sessions.by_number[&session].worker() {
            lines.into_iter().for_each(|line| doors.workers.withdraw(worker, line));
        }
    }

    /// The worker gives an execution back that it has not begun.
    pub(crate) fn withdrawn(&mut self, doors: &mut Doors, id: ExecutionId) {
        let execution = self.execution(id);
        let is_in_line = matches!(&execution.input, Input::Stream(run) if run.line.is_some());
        if is_in_line && execution.status == Status::Running {
            self.finish(doors, id, Status::Aborted);
        }
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
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::registrations::streams::testing::{
        NOTHING, PENDING, SUMMARY, entries, pending, registered,
    };
    use crate::testing::{Stage, WORKER, id, plan, text};

    /// The executions of three streams have the threads; of a fourth one, two are in the worker.
    fn busy_but_for_a_thread() -> Stage {
        let plan = plan("StreamReader", &[StepKind::ForEach]);
        let mut stage = Stage::registered(plan, &[("prefix", text("s*"))]);
        for key in ["s1", "s2", "s3", "s4"] {
            let group = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__";
            stage.answers(&[
                (&format!("XLEN {key}"), if key == "s4" { ":2\r\n" } else { ":1\r\n" }),
                (&format!("{group} STREAMS {key} 0"), NOTHING),
                (&format!("{group} COUNT 1 STREAMS {key} >"), &entries(&["1-1"])),
            ]);
            stage.event("xadd", key);
        }
        stage.work();
        stage
    }

    #[test]
    fn a_pause_withdraws_what_has_not_begun_and_it_is_read_again_afterwards() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.sent();
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        assert_eq!(stage.sent(), ["withdraw w0 line 0"]);
        stage.calls();
        stage.answers(&[(SUMMARY, &pending("2-1"))]);
        stage.done(WORKER, 2, vec![]);
        stage.withdrawn(3);
        let acknowledged = ["XACK s __gears_consumer_group__ 1-1", SUMMARY, "XTRIM s MINID 2-1"];
        assert_eq!(stage.calls(), acknowledged);
        assert_eq!(stage.statistics(), (3, 2, 0, 1, None));
        stage.answers(&[(PENDING, &entries(&["2-1"]))]);
        stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1)));
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e6 f0 [s@2-1:1] in line 1"]);
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
    fn only_streams_can_be_paused() {
        let mut stage = Stage::with_trigger();
        assert_eq!(
            stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1))),
            "-Reader CommandReader does not support pause|"
        );
        assert!(stage.command("RG.PAUSEREGISTRATIONS x").contains("does not exists on shard"));
    }

    #[test]
    fn a_pause_withdraws_what_follows_one_that_waits_for_a_thread() {
        let mut stage = busy_but_for_a_thread();
        assert_eq!(stage.sent().len(), 5);
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        assert_eq!(stage.sent(), ["withdraw w0 line 3", "abort w0 e8"]);
    }

    #[test]
    fn what_had_no_thread_when_the_worker_died_is_left_to_others_by_an_unregistered_stream() {
        let mut stage = busy_but_for_a_thread();
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.calls();
        stage.crash(WORKER);
        let calls = stage.calls();
        assert_eq!(calls.iter().filter(|call| call.starts_with("XACK")).count(), 3);
        assert!(!calls.iter().any(|call| call.starts_with("XACK s4")));
    }

    #[test]
    fn a_failure_does_not_end_a_pause() {
        let mut stage = registered(&[("onFailedPolicy", text("retry"))]);
        stage.grows(1, &["1-1"]);
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.status(), "PAUSED");
        stage.at(60_000);
        assert_eq!(stage.status(), "PAUSED");
    }
}
