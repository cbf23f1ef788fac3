//! Whether to look again and again for a short while before sleeping.

use std::thread;
use std::time::{Duration, Instant};

/// Longer than this an answer is not watched for: sleeping and being woken costs about as much.
const SPIN: Duration = Duration::from_micros(50);
/// After a vain spin so many waits go without one; twice as many after the next, up to the second number.
const PENALTY: u32 = 8;
const PENALTY_MAX: u32 = 64;

/// Spins while that pays: each time it was in vain it holds back longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spin {
    has_core: bool,
    /// Waits that go without a spin from now on.
    skipped: u32,
    penalty: u32,
}

impl Spin {
    /// One core is needed for whoever is waited for.
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Spin { has_core: cores > 1, skipped: 0, penalty: PENALTY }
    }

    /// Asks `is_there` until it says yes or the time is over; not at all when spins were in vain lately.
    pub(crate) fn look<E>(
        &mut self,
        mut is_there: impl FnMut() -> Result<bool, E>,
    ) -> Result<bool, E> {
        if !self.has_core {
            return Ok(false);
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(false);
        }
        let start = Instant::now();
        loop {
            if is_there()? {
                self.penalty = PENALTY;
                return Ok(true);
            }
            if start.elapsed() > SPIN {
                self.skipped = self.penalty;
                self.penalty = (self.penalty * 2).min(PENALTY_MAX);
                return Ok(false);
            }
            // Whoever is waited for may be waiting for this very processor.
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(spin: &mut Spin, is_there: bool) -> bool {
        let mut looked = false;
        let found = spin.look(|| {
            looked = true;
            Ok::<_, ()>(is_there)
        });
        assert_eq!(found, Ok(looked && is_there));
        looked
    }

    fn waits_without_a_look(spin: &mut Spin) -> u32 {
        let mut waits = 0;
        while !looks(spin, true) {
            waits += 1;
        }
        waits
    }

    fn with_a_core() -> Spin {
        Spin { has_core: true, ..Spin::new() }
    }

    #[test]
    fn a_vain_spin_is_not_repeated_soon() {
        let mut spin = with_a_core();
        assert!(looks(&mut spin, false));
        assert_eq!(waits_without_a_look(&mut spin), PENALTY);
    }

    #[test]
    fn one_vain_spin_after_the_other_makes_it_hold_back_longer() {
        let mut spin = with_a_core();
        for _ in 0..2 {
            while !looks(&mut spin, false) {}
        }
        assert_eq!(waits_without_a_look(&mut spin), 2 * PENALTY);
        looks(&mut spin, false);
        assert_eq!(waits_without_a_look(&mut spin), PENALTY);
    }

    #[test]
    fn a_single_core_never_spins() {
        let mut spin = Spin { has_core: false, ..Spin::new() };
        assert!(!looks(&mut spin, true));
    }
}
