//! How long a blocking command may wait.

use resp::parse_double;

use crate::error::fail;
use crate::{Error, Result};

/// Reads seconds, with a fraction, into the moment when the wait ends. Zero waits for ever: `None`.
pub(crate) fn parse_timeout(text: &[u8], now_ms: i64) -> Result<Option<i64>> {
    let seconds = parse_double(text)
        .ok_or_else(|| Error::text("ERR timeout is not a float or out of range"))?;

    let ms = (seconds * 1000.0).ceil();
    if ms < 0.0 {
        return fail("ERR timeout is negative");
    }
    if ms == 0.0 {
        return Ok(None);
    }
    // What is too large for an integer becomes its maximum, and overflows with any time of day.
    match now_ms.checked_add(ms as i64) {
        Some(deadline_ms) => Ok(Some(deadline_ms)),
        None => fail("ERR timeout is out of range"),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_timeout;

    const NOW_MS: i64 = 1_700_000_000_000;

    #[test]
    fn seconds_may_have_a_fraction_and_zero_is_for_ever() {
        assert_eq!(parse_timeout(b"1.5", NOW_MS), Ok(Some(NOW_MS + 1500)));
        assert_eq!(parse_timeout(b"0.0001", NOW_MS), Ok(Some(NOW_MS + 1)));
        assert_eq!(parse_timeout(b"0", NOW_MS), Ok(None));
    }

    #[test]
    fn what_is_no_time_to_wait_is_refused() {
        for (text, problem) in [
            ("x", "not a float or out of range"),
            ("nan", "not a float or out of range"),
            ("-1", "negative"),
            ("-inf", "negative"),
            ("inf", "out of range"),
            ("1e300", "out of range"),
        ] {
            let error = crate::Error::Text(format!("ERR timeout is {problem}").into());
            assert_eq!(parse_timeout(text.as_bytes(), NOW_MS), Err(error.into()), "{text}");
        }
    }
}
