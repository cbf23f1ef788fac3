//! 80-bit floats, as C's `long double` is on most servers: 64 bits of mantissa, so that sums of decimal numbers have
//! the very digits that clients know from Redis.

use std::cmp::Ordering;

use crate::big_integer::BigInteger;

/// Powers of two past which a number is infinite, or nothing.
const EXPONENT_MAX: i32 = 16_383 - 63;
const EXPONENT_MIN: i32 = -16_445;
const DECIMALS: u32 = 17;
/// Powers of ten beyond which no mantissa of at most [`LENGTH_MAX`] digits is a finite number other than zero.
const TEN_EXPONENT_MAX: i64 = 11_000;
/// Longer texts are no numbers.
const LENGTH_MAX: usize = 5 * 1024 - 1;

/// `mantissa * 2^exponent`. The mantissa's highest bit is set, but for zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extended {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Extended {
    /// The number nearest to a decimal text; nothing for what is none or out of range.
    pub(crate) fn parse(text: &[u8]) -> Option<Extended> {
        if text.len() > LENGTH_MAX {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &[][..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut digits = BigInteger::default();
        for byte in whole.iter().chain(fraction) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            digits.multiply_add(10, u32::from(digit));
        }
        if digits.is_zero() {
            return Some(Extended { negative, mantissa: 0, exponent: 0 });
        }
        let ten_exponent = exponent - fraction.len() as i64;
        if ten_exponent.abs() > TEN_EXPONENT_MAX {
            return None;
        }
        let mut divisor = BigInteger::from(1);
        let scaled = if ten_exponent < 0 { &mut divisor } else { &mut digits };
        for _ in 0..ten_exponent.unsigned_abs() {
            scaled.multiply_add(10, 0);
        }
        divide(negative, digits, divisor)
    }

    pub(crate) fn from_f64(value: f64) -> Option<Extended> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let (significand, exponent) = match (bits >> 52) & 0x7FF {
            0 => (fraction, -1074),
            biased => (fraction | 1 << 52, biased as i32 - 1075),
        };
        round(value.is_sign_negative(), u128::from(significand), exponent)
    }

    /// Nothing if the sum is infinite.
    pub(crate) fn add(self, other: Extended) -> Option<Extended> {
        let (big, small) = match self.rank().cmp(&other.rank()) {
            Ordering::Less => (other, self),
            _ => (self, other),
        };
        if small.mantissa == 0 {
            return Some(big);
        }
        // Room below for the bits that decide about rounding, and above for a carry.
        const ROOM: u32 = 62;
        let distance = (big.exponent - small.exponent) as u32;
        let left = u128::from(big.mantissa) << ROOM;
        let whole = u128::from(small.mantissa) << ROOM;
        let right = match whole.checked_shr(distance) {
            Some(shifted) => shifted | u128::from(shifted << distance != whole),
            None => 1,
        };
        let sum = if big.negative == small.negative { left + right } else { left - right };
        round(big.negative && sum != 0, sum, big.exponent - ROOM as i32)
    }

    /// For comparing magnitudes.
    fn rank(self) -> (bool, i32, u64) {
        (self.mantissa != 0, self.exponent, self.mantissa)
    }

    /// With up to 17 decimals, without trailing zeros.
    pub(crate) fn to_text(self) -> String {
        let (whole, fraction) = if self.exponent >= 0 {
            let mut whole = BigInteger::from(self.mantissa);
            whole.shift_left(self.exponent as u32);
            (whole.to_decimal(), 0)
        } else {
            let one = 10u128.pow(DECIMALS);
            let shift = self.exponent.unsigned_abs();
            // The product is below 2^121; shifted beyond that, nothing is left that rounds up.
            let units = round_shift(u128::from(self.mantissa) * one, shift.min(127));
            ((units / one).to_string(), units % one)
        };
        let is_zero = whole == "0" && fraction == 0;
        let sign = if self.negative && !is_zero { "-" } else { "" };
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{fraction:0width$}", width = DECIMALS as usize);
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// What follows the `e`. One that no text can need is cut off where it still is out of range.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1_000_000_000));
    Some(sign * value)
}

/// A quotient with 65 bits, the last of which stands for all that follow, then rounded.
fn divide(negative: bool, mut dividend: BigInteger, mut divisor: BigInteger) -> Option<Extended> {
    let shift = dividend.bits() as i32 - divisor.bits() as i32;
    // Afterwards the quotient is above one half and below two.
    if shift >= 0 {
        divisor.shift_left(shift.unsigned_abs());
    } else {
        dividend.shift_left(shift.unsigned_abs());
    }
    const BITS: i32 = 67;
    let mut quotient: u128 = 0;
    for _ in 0..BITS {
        quotient <<= 1;
        if dividend.compare(&divisor) != Ordering::Less {
            dividend.subtract(&divisor);
            quotient |= 1;
        }
        dividend.shift_left(1);
    }
    quotient = quotient << 1 | u128::from(!dividend.is_zero());
    round(negative, quotient, shift - BITS)
}

/// The nearest number to `magnitude * 2^exponent`, of two the even one; nothing if that is infinite, or zero without
/// being meant.
fn round(negative: bool, magnitude: u128, exponent: i32) -> Option<Extended> {
    if magnitude == 0 {
        return Some(Extended { negative, mantissa: 0, exponent: 0 });
    }
    let excess = 64 - magnitude.leading_zeros() as i32;
    let (mut mantissa, mut exponent) = if excess > 0 {
        (round_shift(magnitude, excess.unsigned_abs()), exponent + excess)
    } else {
        (magnitude << excess.unsigned_abs(), exponent + excess)
    };
    if mantissa >> 64 != 0 {
        mantissa >>= 1;
        exponent += 1;
    }
    let mantissa = u64::try_from(mantissa).expect("64 bits are left");
    (EXPONENT_MIN - 63..=EXPONENT_MAX).contains(&exponent).then_some(Extended {
        negative,
        mantissa,
        exponent,
    })
}

/// `value / 2^shift`, to the nearest, of two the even one.
fn round_shift(value: u128, shift: u32) -> u128 {
    if shift == 0 {
        return value;
    }
    let quotient = value >> shift;
    let rest = value - (quotient << shift);
    let half = 1u128 << (shift - 1);
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::Extended;

    fn text(number: &str) -> Option<String> {
        Extended::parse(number.as_bytes()).map(Extended::to_text)
    }

    fn sum(left: &str, right: &str) -> String {
        let parse = |text: &str| Extended::parse(text.as_bytes()).expect("the test has numbers");
        parse(left).add(parse(right)).expect("the sum is finite").to_text()
    }

    /// Taken from redis-server's replies.
    #[test]
    fn sums_have_the_digits_of_an_80_bit_float() {
        assert_eq!(sum("-9.4", "5000"), "4990.60000000000000009");
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("3", "1.1e1"), "14");
        assert_eq!(sum("-0.5", "0.5"), "0");
        assert_eq!(sum("1e30", "1"), "1000000000000000000024696061952");
    }

    #[test]
    fn a_number_reads_as_the_nearest_one() {
        assert_eq!(text("18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(text("18446744073709551617").as_deref(), Some("18446744073709551616"));
        assert_eq!(text("1e-17").as_deref(), Some("0.00000000000000001"));
        assert_eq!(text("-.5").as_deref(), Some("-0.5"));
        assert_eq!(text("-1e-30").as_deref(), Some("0"));
        assert_eq!(text("0e99999999999").as_deref(), Some("0"));
    }

    #[test]
    fn what_is_out_of_range_is_no_number() {
        for number in ["1e5000", "1e-5000", "1e999999999999", "", ".", "e5", "1e", "1x", "--1"] {
            assert_eq!(text(number), None, "{number}");
        }
        let greatest = Extended::parse(b"1.1e4932").expect("it is in range");
        assert_eq!(greatest.add(greatest), None);
    }

    #[test]
    fn a_64_bit_float_is_one_exactly() {
        for value in [0.1f64, -2.5, 1e300, 5e-324] {
            let extended = Extended::from_f64(value).expect("it is finite");
            let negated = Extended::from_f64(-value).expect("it is finite");
            assert_eq!(extended.add(negated).map(Extended::to_text).as_deref(), Some("0"));
        }
        assert_eq!(Extended::from_f64(0.5), Extended::parse(b"0.5"));
        assert_eq!(Extended::from_f64(f64::INFINITY), None);
    }
}
