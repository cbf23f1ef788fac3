//! The processor time of a session's executions: its process measures it, and is watched whether it still can.

/// What a process may use beyond the limit before it must have said that it has looked.
const GRACE_US: u64 = 1_000_000;

pub(crate) struct Computing {
    /// What the process was told at its start: a limit that is set later it does not know.
    pub(crate) max_ms: Option<u64>,
    /// What it had used when it was last known to look.
    since_us: Option<u64>,
}

impl Computing {
    pub(super) fn new(max_ms: Option<u64>) -> Self {
        Computing { max_ms, since_us: None }
    }

    /// The process has looked; or nothing runs that it would look at.
    pub(crate) fn rests(&mut self) {
        self.since_us = None;
    }

    /// Called again and again while something runs, with what the process has used so far.
    pub(crate) fn is_deaf(&mut self, used_us: u64) -> bool {
        let Some(max_ms) = self.max_ms else { return false };
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
        let mut computing = Computing::new(Some(100));
        assert!(!computing.is_deaf(5_000_000));
        assert!(!computing.is_deaf(6_100_000));
        assert!(computing.is_deaf(6_100_001));
    }

    #[test]
    fn one_that_speaks_or_rests_is_not() {
        let mut computing = Computing::new(Some(100));
        computing.is_deaf(0);
        computing.rests();
        assert!(!computing.is_deaf(9_000_000));
        assert!(computing.is_deaf(19_000_000));
    }

    #[test]
    fn one_that_knows_no_limit_has_nothing_to_say() {
        let mut computing = Computing::new(None);
        computing.is_deaf(0);
        assert!(!computing.is_deaf(u64::MAX));
    }
}
