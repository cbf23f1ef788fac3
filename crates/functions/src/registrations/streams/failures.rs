//! Executions on streams that fail: what follows is passed over, stopped, tried again or given up.

use super::{StreamStatus, stream_of};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::host::Level;
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{Portion, StreamRun};
use crate::registrations::dead_letters::{self, Epitaph, Verdict};
use crate::registrations::{Registration, Trigger};

/// How soon, at the earliest, what could not be given up is tried again: each attempt has a line in the log.
const GIVE_UP_RETRY_MS: i64 = 1000;

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

/// Why an execution on a stream was not successful.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a str,
    /// A thread had taken it up.
    pub(crate) had_begun: bool,
}

impl Engine {
    /// Gives the stream, if there may be more to do on it.
    pub(super) fn stream_run_failed(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: StreamRun,
        failure: Failure,
    ) -> Option<Box<[u8]>> {
        let registration = self.registrations.by_number.get_mut(&number)?;
        let retired = registration.retired;
        let trigger = stream_of(registration)?;
        let policy = trigger.options.policy;
        let verdict = match () {
            () if run.read.is_empty() => Verdict::ByPolicy,
            // Its last batch is not tried again.
            () if retired && policy == FailurePolicy::Retry => Verdict::ByPolicy,
            () => trigger.failures.judge(&trigger.options.giving_up, policy, &run),
        };
        let verdict = match verdict {
            Verdict::OneByOne if retired => Verdict::GiveUp { attempts: 1 },
            verdict => verdict,
        };
        match (verdict, policy) {
            (Verdict::OneByOne, _) => {}
            (Verdict::GiveUp { attempts }, _) => {
                if let Err(why) = self.give_up_run(doors, number, &run, failure.error, attempts) {
                    let name = self.identifiers.text(number.0);
                    let key = String::from_utf8_lossy(&run.key);
                    let text =
                        format!("GEARS: {name}: entries of '{key}' cannot be given up: {why}");
                    doors.host.log(Level::Warning, &text);
                    self.retry_later(doors, number, GIVE_UP_RETRY_MS);
                    return None;
                }
            }
            (Verdict::ByPolicy, FailurePolicy::Retry) => {
                self.retry_later(doors, number, 0);
                return None;
            }
            (Verdict::ByPolicy, _) => self.acknowledge_run(doors, number, &run),
        }
        (!retired).then_some(run.key)
    }

    fn retry_later(&mut self, doors: &mut Doors, number: RegistrationNumber, least_ms: i64) {
        let Some(registration) = self.registrations.get_listed(number) else { return };
        let Some(trigger) = stream_of(registration) else { return };
        // Who paused it meanwhile says when it goes on.
        if trigger.status == StreamStatus::Paused {
            return;
        }
        let retry_ms = trigger.options.retry_s.saturating_mul(1000).max(least_ms);
        let at_ms = doors.host.now_ms().saturating_add(retry_ms);
        self.reset_stream(doors, number, StreamStatus::WaitingForRetry);
        self.deadlines.insert((at_ms, Due::Retry(number)));
    }

    fn give_up_run(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: &StreamRun,
        error: &str,
        attempts: u64,
    ) -> Result<(), String> {
        let name = self.identifiers.text(number.0);
        let Some(registration) = self.registrations.by_number.get_mut(&number) else {
            return Ok(());
        };
        let Registration { trigger, plan, statistics, .. } = registration;
        let Trigger::Stream(trigger) = trigger else { return Ok(()) };
        let trim = trigger.trim_after(run);
        let giving_up = &trigger.options.giving_up;
        let description = plan.description.as_deref();
        let now_ms = doors.host.now_ms();
        let epitaph = Epitaph { error, attempts, registration: name, description, now_ms };
        dead_letters::give_up(doors.host, giving_up, run, &epitaph, trim, statistics)?;
        if run.portion != Portion::Oldest {
            trigger.failures.forget(&run.key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::registrations::streams::testing::{
        NOTHING, PENDING, entries, new_entries, registered,
    };
    use crate::testing::{Stage, WORKER, plan, text};
    use crate::worker::WorkerId;

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

    const ONE_BY_ONE: &str =
        "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ COUNT 1 STREAMS s 0";

    fn dead(id: &str, error: &str, attempts: u64, time_ms: i64) -> String {
        let registration = crate::testing::id(1);
        format!(
            "XADD dead * f v __key s __id {id} __error {error} __attempts {attempts} \
             __registration {registration} __description  __time_ms {time_ms}"
        )
    }

    fn found(id: &str) -> (String, String) {
        let length = id.len();
        let wire = format!("*1\r\n*2\r\n${length}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        (format!("XRANGE s {id} {id}"), wire)
    }

    fn with_dead_letters(more: &[(&str, Argument)]) -> Stage {
        let mut kwargs = vec![("dead_letter", text("dead"))];
        kwargs.extend_from_slice(more);
        let mut stage = registered(&kwargs);
        for id in ["1-1", "2-1"] {
            let (command, wire) = found(id);
            stage.answers(&[(&command, &wire)]);
        }
        stage
    }

    fn retrying(more: &[(&str, Argument)]) -> Stage {
        let mut kwargs = vec![
            ("onFailedPolicy", text("retry")),
            ("max_retries", Argument::Int(1)),
            ("onFailedRetryInterval", Argument::Int(0)),
        ];
        kwargs.extend_from_slice(more);
        with_dead_letters(&kwargs)
    }

    #[test]
    fn an_entry_that_used_up_its_retries_goes_to_the_dead_letters_and_the_stream_goes_on() {
        let mut stage = retrying(&[]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        stage.at(5);
        stage.work();
        stage.calls();
        stage.failed(WORKER, 3, "no");
        assert_eq!(
            stage.calls(),
            [
                found("1-1").0,
                dead("1-1", "no", 2, 5),
                "XACK s __gears_consumer_group__ 1-1".into(),
                "XTRIM s MINID 1-2".into()
            ]
        );
        assert_eq!(stage.status(), "OK");
        assert_eq!(stage.dead_lettered(), 1);
        stage.sent();
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.sent(), ["invoke w0 e4 f0 [s@2-1:1]"]);
    }

    #[test]
    fn a_worker_that_dies_of_an_entry_counts_as_an_attempt() {
        let mut stage = retrying(&[]);
        stage.grows(1, &["1-1"]);
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        for crash in 0..2 {
            stage.crash(crate::worker::WorkerId(crash));
            stage.at(10_000 * crash as i64 + 10_000);
            stage.loaded(crate::worker::WorkerId(crash + 1));
            stage.work();
        }
        assert_eq!(stage.dead_lettered(), 1);
        assert!(stage.calls().iter().any(|call| call.contains("segmentation")));
    }

    #[test]
    fn entries_whose_function_had_no_thread_when_the_worker_died_are_read_again() {
        let mut stage = Stage::registered(
            plan("StreamReader", &[StepKind::ForEach]),
            &[("prefix", text("s*")), ("dead_letter", text("dead"))],
        );
        for key in ["s1", "s2", "s3", "s4"] {
            let group = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS";
            let wire = entries(&["1-1"]);
            stage.answers(&[
                (&format!("XLEN {key}"), ":1\r\n"),
                (&format!("{group} {key} 0"), &wire),
                (&format!("XRANGE {key} 1-1 1-1"), "*0\r\n"),
            ]);
            stage.event("xadd", key);
        }
        stage.work();
        assert_eq!(stage.sent().len(), 4);
        stage.calls();
        stage.crash(WORKER);
        let calls = stage.calls();
        let buried = calls.iter().filter(|call| call.starts_with("XADD dead")).count();
        assert_eq!((buried, stage.dead_lettered()), (3, 3));
        assert!(!calls.iter().any(|call| call.starts_with("XACK s4")));
        stage.loaded(crate::worker::WorkerId(1));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent()[0], "invoke w1 e5 f0 [s@1-1:1]".replace("s@", "s4@"));
    }

    #[test]
    fn of_a_failed_batch_only_what_fails_alone_goes_to_the_dead_letters() {
        let mut stage = with_dead_letters(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.grows(2, &[]);
        stage.sent();
        stage.answers(&[(ONE_BY_ONE, &entries(&["1-1"])), (&new_entries(2), NOTHING)]);
        stage.failed(WORKER, 2, "no");
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1]"]);
        stage.answers(&[(ONE_BY_ONE, &entries(&["2-1"]))]);
        stage.calls();
        stage.done(WORKER, 3, vec![]);
        stage.work();
        let acknowledged = ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2", ONE_BY_ONE];
        assert_eq!(stage.calls(), acknowledged);
        stage.answers(&[(ONE_BY_ONE, NOTHING)]);
        stage.failed(WORKER, 4, "no");
        assert_eq!(stage.calls()[1], dead("2-1", "no", 2, 0));
        stage.work();
        stage.sent();
        stage.grows(3, &[]);
        stage.answers(&[(&new_entries(2), &entries(&["3-1", "4-1"]))]);
        stage.grows(4, &[]);
        assert_eq!(stage.sent().len(), 1, "batches are whole again");
        assert_eq!(stage.dead_lettered(), 1);
    }

    #[test]
    fn a_batch_may_go_to_the_dead_letters_as_a_whole() {
        let whole = [("batch", Argument::Int(2)), ("dead_letter_isolate", Argument::Bool(false))];
        let mut stage = with_dead_letters(&whole);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.grows(2, &[]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        let calls = stage.calls();
        assert_eq!((&calls[1], &calls[5]), (&dead("1-1", "no", 1, 0), &dead("2-1", "no", 1, 0)));
        assert_eq!(calls[2], "XACK s __gears_consumer_group__ 1-1");
        assert_eq!(stage.dead_lettered(), 2);
    }

    #[test]
    fn what_cannot_be_given_up_is_not_acknowledged_but_tried_again() {
        let mut stage = with_dead_letters(&[]);
        stage.answers(&[(&dead("1-1", "no", 1, 0), "-OOM no room\r\n")]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert!(!stage.calls().iter().any(|call| call.starts_with("XACK")));
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        assert!(stage.host.logs[0].contains("cannot be given up: OOM no room"));
    }

    #[test]
    fn without_dead_letters_what_used_up_its_retries_is_passed_over() {
        let kwargs = [("onFailedPolicy", text("retry")), ("max_retries", Argument::Int(0))];
        let mut stage = registered(&kwargs);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn an_entry_that_is_deleted_while_it_waits_for_a_retry_is_acknowledged_and_not_tried_again() {
        let mut stage = registered(&[("onFailedPolicy", text("retry"))]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        let deleted = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        stage.answers(&[(PENDING, deleted), (&new_entries(1), NOTHING)]);
        stage.sent();
        stage.calls();
        stage.at(1000);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        assert!(stage.calls().contains(&"XACK s __gears_consumer_group__ 1-1".to_string()));
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn an_entry_that_came_meanwhile_is_not_overlooked_for_one_that_was_deleted() {
        let mut stage = registered(&[("onFailedPolicy", text("retry"))]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        let deleted = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        stage.answers(&[(PENDING, deleted), (&new_entries(1), &entries(&["2-1"]))]);
        stage.sent();
        stage.at(1000);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e4 f0 [s@2-1:1]"]);
    }

    #[test]
    fn deleted_entries_are_passed_over_one_by_one_however_many_there_are() {
        let mut stage = with_dead_letters(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.grows(2, &[]);
        stage.sent();
        let deleted = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        stage.answers(&[(ONE_BY_ONE, deleted)]);
        stage.failed(WORKER, 2, "no");
        for _ in 0..20 {
            stage.act(|engine, doors| engine.work(doors, 0));
        }
        assert!(stage.calls().iter().filter(|call| *call == ONE_BY_ONE).count() > 4000);
        stage.answers(&[(ONE_BY_ONE, NOTHING), (&new_entries(2), NOTHING)]);
        stage.work();
        assert!(!stage.engine.has_work());
    }

    #[test]
    fn a_death_is_no_failure_of_who_had_no_thread_then() {
        for policy in ["abort", "retry"] {
            let mut stage = registered(&[("onFailedPolicy", text(policy))]);
            stage.register(WORKER, 1, plan("KeysReader", &[]), &[("prefix", text("k"))]);
            (0..3).for_each(|_| stage.event("set", "k"));
            stage.grows(1, &["1-1"]);
            stage.crash(WORKER);
            assert_eq!(stage.status(), "OK");
            stage.answers(&[(PENDING, &entries(&["1-1"]))]);
            stage.loaded(WorkerId(1));
            stage.sent();
            stage.work();
            assert_eq!(stage.sent(), ["invoke w1 e6 f0 [s@1-1:1]"]);
        }
    }
}
