//! The timeouts of blocking commands: seconds, with a fraction; 0 is for ever.

use resp::parse_double;

use crate::error::fail;
use crate::{Error, Result};

/// Until when a client waits, in the database's time.
pub(crate) fn parse_deadline(text: &[u8], now_ms: i64) -> Result<Option<i64>> {
    let seconds = parse_double(text)
        .ok_or_else(|| Error::text("ERR timeout is not a float or out of range"))?;
    if seconds < 0.0 {
        return fail("ERR timeout is negative");
    }
    // A wait that is asked for has an end later than now, however short it is.
    let ms = (seconds * 1000.0).ceil();
    if ms == 0.0 {
        return Ok(None);
    }
    let deadline = if ms < i64::MAX as f64 { now_ms.checked_add(ms as i64) } else { None };
    deadline.map(Some).ok_or_else(|| Error::text("ERR timeout is out of range").into())
}

#[cfg(test)]
mod tests {
    use super::parse_deadline;
    use crate::Error;

    #[test]
    fn seconds_are_counted_from_now_and_zero_has_no_end() {
        assert_eq!(parse_deadline(b"1.5", 1_000), Ok(Some(2_500)));
        assert_eq!(parse_deadline(b"0.0001", 1_000), Ok(Some(1_001)));
        assert_eq!(parse_deadline(b"0", 1_000), Ok(None));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (text, refusal) in [
            ("soon", "ERR timeout is not a float or out of range"),
            ("-1", "ERR timeout is negative"),
            ("inf", "ERR timeout is out of range"),
            ("1e16", "ERR timeout is out of range"),
        ] {
            assert_eq!(parse_deadline(text.as_bytes(), 1), Err(Error::text(refusal).into()));
        }
    }
}
