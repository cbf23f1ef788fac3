//! Registrations that run their function over a whole reader at certain times.

use super::schedule::Schedule;
use super::{Registration, Trigger};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::execution::{Batch, Input};
use crate::identifier::RegistrationNumber;
use crate::readers::{Reader, Walk};

pub(crate) struct CronTrigger {
    pub(crate) schedule: Schedule,
    pub(crate) reader: Reader,
    /// How each run goes over the reader.
    pub(crate) walk: Walk,
    /// By the host's clock.
    pub(crate) next_ms: Option<i64>,
}

impl Engine {
    /// What came due while nobody could look has come due once: the next time is after now.
    pub(crate) fn schedule_cron(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let now_ms = doors.host.now_ms();
        let Some(registration) = self.registrations.get_listed(number) else { return };
        let Trigger::Cron(cron) = &mut registration.trigger else { return };
        cron.next_ms = cron.schedule.next_after(now_ms);
        if let Some(at_ms) = cron.next_ms {
            self.deadlines.insert((at_ms, Due::Cron(number)));
        }
    }

    pub(crate) fn cron_is_due(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(registration) = self.registrations.get_listed(number) else { return };
        let Registration { trigger, plan, statistics, pending, in_flight, .. } = registration;
        let Trigger::Cron(cron) = trigger else { return };
        if pending.is_empty() && *in_flight == 0 {
            let batch = Batch::over(cron.walk.clone(), &plan.steps);
            self.enqueue(doors, number, Input::Batch(Box::new(batch)));
        } else {
            statistics.skipped += 1;
        }
        self.schedule_cron(doors, number);
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};
    use crate::worker::WorkerId;

    const MINUTE_MS: i64 = 60_000;

    fn every_minute(reader: &str, kinds: &[StepKind]) -> Stage {
        let mut stage = Stage::with_keys(2);
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan(reader, kinds), &[("cron", text("* * * * *"))]);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        stage.sent();
        stage
    }

    fn at(stage: &mut Stage, now_ms: i64) -> Vec<String> {
        stage.at(now_ms);
        stage.work();
        stage.sent()
    }

    fn skipped(stage: &Stage) -> u64 {
        stage.engine.registrations.listed().next().unwrap().1.statistics.skipped
    }

    #[test]
    fn the_function_runs_over_its_reader_when_its_time_has_come_and_again() {
        let mut stage = every_minute("KeysReader", &[StepKind::Map]);
        assert_eq!(at(&mut stage, MINUTE_MS - 1), [""; 0]);
        let keys = "[key:000000=value, key:000001=value]";
        for (run, time) in [(1, MINUTE_MS), (2, 2 * MINUTE_MS)] {
            assert_eq!(
                at(&mut stage, time),
                [
                    format!("open w0 e{run} f0 from step 0 Fed"),
                    format!("feed w0 e{run} {keys}"),
                    format!("feed w0 e{run} [] last")
                ]
            );
            stage.done(WORKER, run, vec![text("r")]);
        }
        assert_eq!(stage.statistics(), (2, 2, 0, 0, None));
        assert_eq!(stage.command(&format!("RG.GETRESULTS {}", id(2))), "*2|*1|$1|r|*0|");
    }

    #[test]
    fn a_reader_of_the_function_s_own_and_a_count_in_the_engine_run_as_well() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        assert_eq!(at(&mut stage, MINUTE_MS), ["open w0 e1 f0 from step 0 Callback"]);
        let kinds = [StepKind::Count, StepKind::ToText, StepKind::Collect];
        let mut stage = every_minute("KeysReader", &kinds);
        at(&mut stage, MINUTE_MS);
        assert_eq!(stage.command(&format!("RG.GETRESULTS {}", id(1))), "*2|*1|$1|2|*0|");
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
    }

    #[test]
    fn what_was_missed_runs_once() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        assert_eq!(at(&mut stage, 10 * MINUTE_MS + 5).len(), 1);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(at(&mut stage, 11 * MINUTE_MS - 1), [""; 0]);
        assert_eq!(at(&mut stage, 11 * MINUTE_MS).len(), 1);
        assert_eq!(skipped(&stage), 0);
    }

    #[test]
    fn a_time_that_comes_while_the_last_run_goes_on_is_passed_over_and_counted() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        at(&mut stage, MINUTE_MS);
        assert_eq!(at(&mut stage, 2 * MINUTE_MS), [""; 0]);
        assert_eq!(skipped(&stage), 1);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(at(&mut stage, 3 * MINUTE_MS).len(), 1);
    }

    #[test]
    fn it_goes_on_after_a_crash_of_its_worker() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        at(&mut stage, MINUTE_MS);
        stage.crash(WORKER);
        assert_eq!(stage.sent(), ["start w1", "load w1 f0=pickle0"]);
        assert_eq!(at(&mut stage, 2 * MINUTE_MS), [""; 0], "its functions are not back yet");
        stage.loaded(WorkerId(1));
        stage.work();
        assert_eq!(stage.sent(), ["open w1 e2 f0 from step 0 Callback"]);
        assert_eq!(stage.statistics().2, 1);
    }

    #[test]
    fn an_ended_registration_runs_no_more() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        assert_eq!(stage.sent(), ["forget w0 f0", "kill w0"]);
        assert_eq!(at(&mut stage, 5 * MINUTE_MS), [""; 0]);
        assert_eq!(stage.engine.next_deadline_ms(), None);
    }

    #[test]
    fn it_is_listed_with_its_next_time() {
        let mut stage = every_minute("PythonReader", &[StepKind::Map]);
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        let args = "$4|args|*6|$4|cron|$9|* * * * *|$9|nextRunMS|:60000|$7|skipped|:0|";
        assert!(dump.contains("$12|PythonReader|") && dump.contains(args), "{dump}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (reader, cron, mode, error) in [
            ("PythonReader", "* 25 * * *", "async", "cron: the field hour ('25') is wrong"),
            ("PythonReader", "0 0 30 2 *", "async", "cron: '0 0 30 2 *' never comes"),
            ("PythonReader", "@hourly", "sync", "cron cannot be combined with mode sync"),
            ("CommandReader", "@hourly", "async", "cron cannot be combined with the CommandReader"),
        ] {
            let mut stage = Stage::new();
            stage.command("RG.PYEXECUTE code");
            stage.sent();
            let kwargs = [("cron", text(cron)), ("mode", text(mode))];
            stage.register(WORKER, 0, plan(reader, &[]), &kwargs);
            let sent = stage.sent().remove(0);
            assert!(sent.starts_with(&format!("answer w0 t0 raise {error}")), "{sent}");
        }
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.register(WORKER, 0, plan("PythonReader", &[]), &[("cron", Argument::Int(5))]);
        assert_eq!(stage.sent(), ["answer w0 t0 raise cron must be a string"]);
    }
}
