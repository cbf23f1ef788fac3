//! Whether a session's process, which measures the processor time of its executions itself, is still able to.

/// What a process may use beyond the limit before it must have said that it has looked.
const GRACE_US: u64 = 1_000_000;

/// What the process had used when it was last known to look.
#[derive(Default)]
pub(crate) struct Computing {
    since_us: Option<u64>,
}

impl Computing {
    /// While nothing runs there is nothing to look at.
    pub(crate) fn runs(&mut self, runs: bool) {
        if !runs {
            self.since_us = None;
        }
    }

    /// The process has looked.
    pub(crate) fn heard(&mut self) {
        self.since_us = None;
    }

    /// Called again and again while something runs, with what the process has used so far.
    pub(crate) fn is_deaf(&mut self, used_us: u64, max_ms: u64) -> bool {
        let since_us = *self.since_us.get_or_insert(used_us);
        let patience_us = max_ms.saturating_mul(1000).saturating_add(GRACE_US);
        used_us.saturating_sub(since_us) > patience_us
    }
}

#[cfg(test)]
mod tests {
    use super::Computing;

    #[test]
    fn a_process_that_says_nothing_beyond_limit_and_grace_is_deaf() {
        let mut computing = Computing::default();
        assert!(!computing.is_deaf(5_000_000, 100));
        assert!(!computing.is_deaf(6_100_000, 100));
        assert!(computing.is_deaf(6_100_001, 100));
    }

    #[test]
    fn one_that_speaks_or_rests_is_not() {
        let mut computing = Computing::default();
        computing.is_deaf(0, 100);
        computing.heard();
        assert!(!computing.is_deaf(9_000_000, 100));
        computing.runs(true);
        assert!(computing.is_deaf(19_000_000, 100));
        computing.runs(false);
        assert!(!computing.is_deaf(29_000_000, 100));
    }
}
