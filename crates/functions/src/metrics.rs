//! What can be counted and measured of registrations and sessions, name by name. INFO, RG.METRICS and the dumps of the layout
//! `mainspring` show the same figures; docs/observability.md says what each means.

use crate::engine::{Doors, Engine};
use crate::registrations::{Registration, Statistics};
use crate::session::{Process, Session};

pub(crate) type Figure = (&'static str, u64);

pub(crate) fn of_registration(registration: &Registration) -> [Figure; 14] {
    let statistics = &registration.statistics;
    let (durations, lags) = (&statistics.durations, &statistics.lags);
    [
        ("calls", statistics.triggered),
        ("succeeded", statistics.succeeded),
        ("failed", statistics.failed),
        ("aborted", statistics.aborted),
        ("queue", registration.pending.len() as u64),
        ("queue_max", statistics.queue_max as u64),
        ("in_flight", registration.in_flight as u64),
        ("duration_p50_us", durations.percentile_us(50)),
        ("duration_p99_us", durations.percentile_us(99)),
        ("duration_max_us", durations.max_us()),
        ("lag_p50_us", lags.percentile_us(50)),
        ("lag_p99_us", lags.percentile_us(99)),
        ("lag_max_us", lags.max_us()),
        ("last_error_ms", statistics.last_error_ms.unsigned_abs()),
    ]
}

/// Executions that no registration started.
pub(crate) fn of_runs(runs: &Statistics) -> [Figure; 8] {
    [
        ("calls", runs.triggered),
        ("succeeded", runs.succeeded),
        ("failed", runs.failed),
        ("aborted", runs.aborted),
        ("duration_p50_us", runs.durations.percentile_us(50)),
        ("duration_p99_us", runs.durations.percentile_us(99)),
        ("duration_max_us", runs.durations.max_us()),
        ("last_error_ms", runs.last_error_ms.unsigned_abs()),
    ]
}

/// What is said of a session's process is 0 while there is none.
pub(crate) fn of_session(session: &Session, doors: &Doors) -> [Figure; 5] {
    let usage = session.worker().and_then(|worker| doors.workers.usage(worker)).unwrap_or_default();
    [
        ("pid", u64::from(usage.pid)),
        ("cpu_us", usage.cpu_us),
        ("rss_bytes", usage.rss_bytes),
        ("restarts", session.restarts),
        ("executions", session.unfinished as u64),
    ]
}

pub(crate) fn state_of(session: &Session) -> &'static str {
    match session.process {
        Process::Running(_) => "running",
        Process::Loading { .. } => "loading",
        Process::Gone => "gone",
    }
}

impl Engine {
    /// Begins to count anew. What is on its way still counts.
    pub(crate) fn clear_metrics(&mut self) {
        for registration in self.registrations.by_number.values_mut() {
            registration.clear_statistics();
        }
        self.runs.clear(0);
        for session in self.sessions.by_number.values_mut() {
            session.restarts = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, plan, text};
    use crate::worker::WorkerId;

    fn figure(stage: &Stage, name: &str) -> u64 {
        let (_, registration) = stage.engine.registrations.listed().next().unwrap();
        let figures = of_registration(registration);
        figures.into_iter().find(|(known, _)| *known == name).expect(name).1
    }

    fn figures<const N: usize>(stage: &Stage, names: [&str; N]) -> [u64; N] {
        names.map(|name| figure(stage, name))
    }

    #[test]
    fn a_trigger_s_lag_begins_when_it_arrives_and_its_duration_when_a_thread_takes_it() {
        let kwargs = [("trigger", text("t")), ("inorder", Argument::Bool(true))];
        let mut stage = Stage::registered(plan("CommandReader", &[StepKind::Map]), &kwargs);
        stage.host.monotonic_us = 1_000_000;
        stage.command("RG.TRIGGER t");
        stage.command("RG.TRIGGER t");
        stage.host.monotonic_us += 10;
        stage.done(WORKER, 1, vec![]);
        stage.work();
        stage.host.monotonic_us += 5;
        stage.done(WORKER, 2, vec![]);
        let names = ["duration_p50_us", "duration_max_us", "lag_p50_us", "lag_max_us"];
        assert_eq!(figures(&stage, names), [5, 10, 10, 15]);
    }

    #[test]
    fn an_event_s_lag_counts_its_time_in_the_queue() {
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &[]);
        stage.host.monotonic_us = 1_000_000;
        stage.event("set", "a");
        stage.event("set", "b");
        assert_eq!(figures(&stage, ["queue", "queue_max", "in_flight"]), [2, 2, 0]);
        stage.host.monotonic_us += 30;
        stage.work();
        assert_eq!(figures(&stage, ["queue", "queue_max", "in_flight"]), [0, 2, 2]);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(figures(&stage, ["duration_max_us", "lag_max_us"]), [0, 30]);
    }

    #[test]
    fn a_stream_s_lag_begins_with_its_oldest_entry() {
        let kwargs = [("prefix", text("s")), ("batch", Argument::Int(2))];
        let mut stage = Stage::registered(plan("StreamReader", &[StepKind::ForEach]), &kwargs);
        let group = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__";
        let entry = |id| format!("*2\r\n$3\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        let entries = format!("*1\r\n*2\r\n$1\r\ns\r\n*2\r\n{}{}", entry("1-1"), entry("2-1"));
        for (command, answer) in [
            ("XLEN s".into(), ":0\r\n"),
            (format!("{group} STREAMS s 0"), "*-1\r\n"),
            (format!("{group} COUNT 2 STREAMS s >"), &entries),
        ] {
            stage.host.answers.insert(command, answer.into());
        }
        stage.work();
        stage.host.answers.insert("XLEN s".into(), ":1\r\n".into());
        stage.at(1000);
        stage.event("xadd", "s");
        stage.work();
        // The first touch of a stream asks for what was left behind: nothing ran, and nothing is measured.
        assert_eq!(figures(&stage, ["succeeded", "lag_max_us"]), [1, 0]);
        stage.at(1040);
        stage.event("xadd", "s");
        stage.work();
        stage.at(1050);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(figures(&stage, ["lag_max_us", "duration_max_us"]), [50_000, 10_000]);
    }

    #[test]
    fn an_error_is_told_with_its_time() {
        let mut stage = Stage::with_trigger();
        stage.at(77);
        stage.command("RG.TRIGGER t");
        stage.failed(WORKER, 1, "no");
        stage.at(99);
        stage.command("RG.TRIGGER t");
        stage.done(WORKER, 2, vec![]);
        assert_eq!(figures(&stage, ["calls", "failed", "last_error_ms"]), [2, 1, 77]);
    }

    #[test]
    fn runs_are_counted_together_when_they_are_over() {
        let mut stage = Stage::running(plan("KeysReader", &[StepKind::Map]), "");
        stage.host.monotonic_us += 20;
        assert_eq!(stage.engine.runs.triggered, 0);
        stage.failed(WORKER, 0, "no");
        let runs = |stage: &Stage| of_runs(&stage.engine.runs).map(|(_, figure)| figure);
        assert_eq!(runs(&stage), [1, 0, 1, 0, 20, 20, 20, 0]);
        stage.command("RG.CLEARREGISTRATIONSSTATS");
        assert_eq!(runs(&stage), [0; 8]);
    }

    #[test]
    fn restarts_are_counted_by_session() {
        let mut stage = Stage::with_trigger();
        stage.crash(WORKER);
        let restarts =
            |stage: &Stage| stage.engine.sessions.by_number.values().next().unwrap().restarts;
        assert_eq!(restarts(&stage), 1);
        stage.loaded(WorkerId(1));
        stage.command("RG.CLEARREGISTRATIONSSTATS");
        assert_eq!(restarts(&stage), 0);
    }

    #[test]
    fn clearing_leaves_what_waits_and_forgets_what_was() {
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &[]);
        for _ in 0..3 {
            stage.event("set", "k");
        }
        stage.work();
        stage.host.monotonic_us += 30;
        stage.failed(WORKER, 1, "no");
        stage.event("set", "k");
        stage.command("RG.CLEARREGISTRATIONSSTATS");
        let names = ["calls", "failed", "queue", "queue_max", "duration_max_us", "last_error_ms"];
        assert_eq!(figures(&stage, names), [3, 0, 1, 1, 0, 0]);
        assert_eq!(stage.statistics(), (3, 0, 0, 0, None));
    }
}
