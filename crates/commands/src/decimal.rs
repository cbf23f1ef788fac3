//! Sums of decimal numbers as Redis' INCRBYFLOAT and HINCRBYFLOAT give them.
//!
//! Redis adds in 80-bit floats and prints 17 decimals, so that `10.5 + 0.1` is `10.6`. Here the sum is exact in fixed
//! point wherever both numbers fit (17 decimals, 20 digits before the point), and in 64-bit floats beyond.

use resp::{format_double, parse_double};

const DECIMALS: usize = 17;
const ONE: i128 = 100_000_000_000_000_000;
/// Beyond this a fixed-point number says more digits than an 80-bit float holds.
const WHOLE_MAX: i128 = 100_000_000_000_000_000_000;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecimalError {
    NotANumber,
    NotFinite,
}

pub(crate) fn add_decimals(left: &[u8], right: &[u8]) -> Result<String, DecimalError> {
    let left_float = parse_double(left).ok_or(DecimalError::NotANumber)?;
    let right_float = parse_double(right).ok_or(DecimalError::NotANumber)?;
    let sum = left_float + right_float;
    if !sum.is_finite() {
        return Err(DecimalError::NotFinite);
    }
    match (parse_fixed(left), parse_fixed(right)) {
        (Some(left), Some(right)) => Ok(format_fixed(left + right)),
        _ => {
            let mut text = Vec::new();
            format_double(sum, &mut text);
            let text = String::from_utf8(text).expect("a formatted double is ASCII");
            Ok(if text.contains('e') { format!("{sum:.0}") } else { text })
        }
    }
}

/// A decimal number in units of 10^-17, where it is one exactly and in range.
fn parse_fixed(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let mut shift = DECIMALS as i32 - i32::try_from(fraction.len()).ok()? + exponent;
    while shift < 0 && value % 10 == 0 {
        value /= 10;
        shift += 1;
    }
    if shift < 0 {
        return None;
    }
    let scaled = value.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    if scaled / ONE >= WHOLE_MAX {
        return None;
    }
    Some(if negative { -scaled } else { scaled })
}

fn format_fixed(value: i128) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let (whole, fraction) = (magnitude / ONE as u128, magnitude % ONE as u128);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:017}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::{DecimalError, add_decimals};

    fn sum(left: &str, right: &str) -> String {
        add_decimals(left.as_bytes(), right.as_bytes()).unwrap()
    }

    #[test]
    fn decimals_add_exactly() {
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("3", "1.1e1"), "14");
        assert_eq!(sum("-0.5", "0.5"), "0");
        assert_eq!(sum("1e-17", "0"), "0.00000000000000001");
    }

    #[test]
    fn numbers_out_of_fixed_range_add_as_floats() {
        assert_eq!(sum("1e30", "1"), "1000000000000000019884624838656");
        assert_eq!(add_decimals(b"1e308", b"1.7e308"), Err(DecimalError::NotFinite));
        assert_eq!(add_decimals(b"x", b"1"), Err(DecimalError::NotANumber));
    }
}
