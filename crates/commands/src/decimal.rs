//! Sums of decimal numbers as Redis' INCRBYFLOAT and HINCRBYFLOAT give them: added in 80-bit floats, told with up to 17
//! decimals.

use resp::parse_double;

use crate::Error;
use crate::extended::Extended;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecimalError {
    NotANumber,
    NotFinite,
}

impl DecimalError {
    /// As a client is told it; what is called no number depends on whose it is.
    pub(crate) fn or_no_number(self, no_number: Error) -> Error {
        match self {
            DecimalError::NotANumber => no_number,
            DecimalError::NotFinite => Error::text("ERR increment would produce NaN or Infinity"),
        }
    }
}

pub(crate) fn add_decimals(left: &[u8], right: &[u8]) -> Result<String, DecimalError> {
    let left = parse(left)?;
    let right = parse(right)?;
    let sum = left.zip(right).and_then(|(left, right)| left.add(right));
    sum.map(Extended::to_text).ok_or(DecimalError::NotFinite)
}

/// Nothing for infinity, which is a number and makes no sum.
fn parse(text: &[u8]) -> Result<Option<Extended>, DecimalError> {
    if let Some(number) = Extended::parse(text) {
        return Ok(Some(number));
    }
    // What else C takes for a number: infinity as a word, and hexadecimal ones.
    let has_digit = text.iter().any(u8::is_ascii_digit);
    if has_digit && !text.iter().any(|byte| matches!(byte, b'x' | b'X')) {
        return Err(DecimalError::NotANumber);
    }
    parse_double(text).map(Extended::from_f64).ok_or(DecimalError::NotANumber)
}

#[cfg(test)]
mod tests {
    use super::{DecimalError, add_decimals};

    #[test]
    fn sums_that_are_infinite_are_refused() {
        assert_eq!(add_decimals(b"0.1", b"0.2").as_deref(), Ok("0.3"));
        assert_eq!(add_decimals(b"1", b"inf"), Err(DecimalError::NotFinite));
        assert_eq!(add_decimals(b"1.1e4932", b"1.1e4932"), Err(DecimalError::NotFinite));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [&b"x"[..], b"", b" 1", b"1e5000", b"1e-5000", b"nan"] {
            assert_eq!(add_decimals(text, b"1"), Err(DecimalError::NotANumber));
        }
    }
}
