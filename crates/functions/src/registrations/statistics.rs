//! How a registration's executions fared.
//!
//! Invariant: once everything is over, triggered = succeeded + failed + aborted.

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) triggered: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) aborted: u64,
    /// Events that the full queue turned away: they triggered nothing.
    pub(crate) dropped: u64,
    /// Entries of streams that went to the dead-letter stream.
    pub(crate) dead_lettered: u64,
    /// Times that came while the last run went on.
    pub(crate) skipped: u64,
    pub(crate) last_ms: u64,
    pub(crate) total_ms: u64,
    pub(crate) last_error: Option<String>,
}

/// How an execution ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome<'a> {
    Succeeded,
    Failed(&'a str),
    /// It never started, for the reason given if there is one.
    Aborted(Option<&'a str>),
}

impl Statistics {
    pub(crate) fn ended(&mut self, outcome: Outcome, duration_us: u64) {
        match outcome {
            // The last error stays until the statistics are cleared: whoever looks later shall see it.
            Outcome::Succeeded => self.succeeded += 1,
            Outcome::Failed(error) => {
                self.failed += 1;
                self.last_error = Some(error.into());
            }
            Outcome::Aborted(why) => {
                self.aborted += 1;
                if let Some(why) = why {
                    self.last_error = Some(why.into());
                }
                return;
            }
        }
        self.last_ms = duration_us / 1000;
        self.total_ms += self.last_ms;
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

    /// Forgets everything but what is still on its way.
    pub(crate) fn clear(&mut self) {
        *self = Statistics { triggered: self.triggered - self.over(), ..Statistics::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_outlives_a_success() {
        let mut statistics = Statistics { triggered: 2, ..Statistics::default() };
        statistics.ended(Outcome::Failed("boom"), 0);
        statistics.ended(Outcome::Succeeded, 3000);
        assert_eq!(statistics.last_error.as_deref(), Some("boom"));
        assert_eq!((statistics.last_ms, statistics.average_of(3.0)), (3, 1.5));
    }

    #[test]
    fn clearing_keeps_what_is_still_on_its_way() {
        let mut statistics = Statistics { triggered: 3, ..Statistics::default() };
        statistics.ended(Outcome::Succeeded, 0);
        statistics.ended(Outcome::Aborted(None), 0);
        statistics.clear();
        assert_eq!(statistics, Statistics { triggered: 1, ..Statistics::default() });
    }
}
