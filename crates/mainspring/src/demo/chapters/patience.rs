use std::thread;
use std::time::{Duration, Instant};

use crate::demo::failure::{Failure, Result};

const LONGEST: Duration = Duration::from_secs(60);

/// Asks until the answer is right; functions that an event has started say nothing to those who caused it.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LONGEST;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(Failure::new(format!("waited in vain until {what}")));
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// The middle one of some measurements.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_measurements_are_below_the_median() {
        let times = [9, 1, 5, 1000, 2].map(Duration::from_micros).to_vec();
        assert_eq!(median(times), Duration::from_micros(5));
    }

    #[test]
    fn waiting_goes_on_until_it_is_so() {
        let mut asked = 0;
        until("asked thrice", || {
            asked += 1;
            Ok(asked == 3)
        })
        .unwrap();
        assert_eq!(asked, 3);
    }
}
