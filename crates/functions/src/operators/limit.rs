//! `limit(length, offset)`: lets `length` records pass after `offset` others.

pub(crate) struct Limit {
    to_skip: u64,
    to_pass: u64,
}

impl Limit {
    pub(crate) fn new(length: u64, offset: u64) -> Self {
        Limit { to_skip: offset, to_pass: length }
    }

    #[inline]
    pub(crate) fn admit(&mut self) -> bool {
        if self.to_skip > 0 {
            self.to_skip -= 1;
            return false;
        }
        let passes = self.to_pass > 0;
        self.to_pass -= u64::from(passes);
        passes
    }

    pub(crate) fn is_full(&self) -> bool {
        self.to_pass == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_before_the_offset_and_past_the_length_are_dropped() {
        let mut limit = Limit::new(2, 1);
        let passed: Vec<bool> = (0..5).map(|_| limit.admit()).collect();
        assert_eq!(passed, [false, true, true, false, false]);
        assert!(limit.is_full());
    }

    #[test]
    fn a_limit_of_nothing_is_full_at_once() {
        assert!(Limit::new(0, 7).is_full());
    }
}
