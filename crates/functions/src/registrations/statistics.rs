//! How a registration's executions fared.
//!
//! Invariant: once everything is over, triggered = succeeded + failed + aborted.

use super::Histogram;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) triggered: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) aborted: u64,
    pub(crate) last_ms: u64,
    pub(crate) total_ms: u64,
    pub(crate) last_error: Option<String>,
    /// When that was, in Unix milliseconds.
    pub(crate) last_error_ms: i64,
    /// From a thread taking an execution up to its end.
    pub(crate) durations: Histogram,
    /// From what caused an execution to its end.
    pub(crate) lags: Histogram,
    /// The most executions that waited at once.
    pub(crate) queue_max: usize,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome<'a> {
    Succeeded,
    Failed(&'a str),
    /// It never started, for the reason given if there is one.
    Aborted(Option<&'a str>),
}

/// How long an execution took that a worker had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) duration_us: u64,
    pub(crate) lag_us: u64,
}

impl Statistics {
    /// Without times, no worker had it.
    pub(crate) fn ended(&mut self, outcome: Outcome, times: Option<Times>, now_ms: i64) {
        match outcome {
            Outcome::Succeeded => self.succeeded += 1,
            Outcome::Failed(error) => {
                self.failed += 1;
                self.note_error(error, now_ms);
            }
            Outcome::Aborted(why) => {
                self.aborted += 1;
                if let Some(why) = why {
                    self.note_error(why, now_ms);
                }
                return;
            }
        }
        self.last_ms = times.map_or(0, |times| times.duration_us / 1000);
        self.total_ms += self.last_ms;
        if let Some(times) = times {
            self.durations.record(times.duration_us);
            self.lags.record(times.lag_us);
        }
    }

    /// The last error stays until the statistics are cleared: whoever looks later shall see it.
    pub(crate) fn note_error(&mut self, error: &str, now_ms: i64) {
        self.last_error = Some(error.into());
        self.last_error_ms = now_ms;
    }

    fn over(&self) -> u64 {
        self.succeeded + self.failed + self.aborted
    }

    /// A sum over all executions that are over, shared out among them.
    pub(crate) fn average_of(&self, sum: f64) -> f64 {
        match self.over() {
            0 => 0.0,
            over => sum / over as f64,
        }
    }

    /// Forgets everything but what is still on its way; so many of that wait.
    pub(crate) fn clear(&mut self, waiting: usize) {
        let triggered = self.triggered - self.over();
        *self = Statistics { triggered, queue_max: waiting, ..Statistics::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Option<Times> = Some(Times { duration_us: 3000, lag_us: 7000 });

    #[test]
    fn the_last_error_outlives_a_success() {
        let mut statistics = Statistics { triggered: 2, ..Statistics::default() };
        statistics.ended(Outcome::Failed("boom"), None, 17);
        statistics.ended(Outcome::Succeeded, TIMES, 18);
        assert_eq!(statistics.last_error.as_deref(), Some("boom"));
        assert_eq!(statistics.last_error_ms, 17);
        assert_eq!((statistics.last_ms, statistics.average_of(3.0)), (3, 1.5));
    }

    #[test]
    fn times_are_those_of_executions_that_a_worker_had() {
        let mut statistics = Statistics { triggered: 2, ..Statistics::default() };
        statistics.ended(Outcome::Succeeded, None, 0);
        assert_eq!(statistics.durations, Histogram::default());
        statistics.ended(Outcome::Failed("boom"), TIMES, 0);
        assert_eq!((statistics.durations.max_us(), statistics.lags.max_us()), (3000, 7000));
    }

    #[test]
    fn clearing_keeps_what_is_still_on_its_way() {
        let mut statistics = Statistics { triggered: 3, queue_max: 3, ..Statistics::default() };
        statistics.ended(Outcome::Succeeded, TIMES, 0);
        statistics.ended(Outcome::Aborted(None), None, 0);
        statistics.clear(1);
        let left = Statistics { triggered: 1, queue_max: 1, ..Statistics::default() };
        assert_eq!(statistics, left);
    }
}
