use std::io::Write;

/// Appends a double as C's `%.17g` prints it, with `inf`, `-inf` and `nan` spelt as Redis spells them.
pub fn format_double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
        return;
    }
    if value.trunc() == value && value.abs() < 1e17 {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(value as i64).as_bytes());
        return;
    }

    // 17 significant digits, correctly rounded: d.dddddddddddddddde<exponent>
    let mut scientific = [0u8; 32];
    let mut cursor = std::io::Cursor::new(&mut scientific[..]);
    write!(cursor, "{value:.16e}").expect("32 bytes hold 17 digits, a sign and an exponent");
    let length = cursor.position() as usize;
    let text = std::str::from_utf8(&scientific[..length]).expect("a formatted double is ASCII");
    let (mantissa, exponent) = text.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a decimal exponent");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let digits = digits.trim_end_matches('0');

    out.extend_from_slice(sign.as_bytes());
    if !(-4..17).contains(&exponent) {
        out.extend_from_slice(&digits.as_bytes()[..1]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits.as_bytes()[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "e{sign}{:02}", exponent.abs()).expect("a Vec takes all writes");
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits.as_bytes());
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            out.extend_from_slice(digits.as_bytes());
            out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
        } else {
            out.extend_from_slice(&digits.as_bytes()[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits.as_bytes()[whole..]);
        }
    }
}

/// Reads a double as Redis reads scores and increments: decimal or hexadecimal, with exponent, `inf` in its spellings, no
/// spaces, no trailing bytes, never NaN.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let first = *text.as_bytes().first()?;
    if first.is_ascii_whitespace() {
        return None;
    }
    let (negative, magnitude) = match first {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = if magnitude.eq_ignore_ascii_case("inf")
        || magnitude.eq_ignore_ascii_case("infinity")
    {
        f64::INFINITY
    } else if let Some(digits) =
        magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X"))
    {
        parse_hexadecimal(digits)?
    } else if magnitude.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && !magnitude.starts_with(['+', '-'])
    {
        let value: f64 = magnitude.parse().ok()?;
        // Redis refuses what overflows (ERANGE), so that "1e400" is no way to write infinity.
        if value.is_infinite() {
            return None;
        }
        value
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

fn parse_hexadecimal(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = match digits.find(['p', 'P']) {
        Some(at) => (&digits[..at], digits[at + 1..].parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars() {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut scale = 1.0 / 16.0;
    for digit in fraction.chars() {
        value += f64::from(digit.to_digit(16)?) * scale;
        scale /= 16.0;
    }
    let value = value * 2f64.powi(exponent);
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{format_double, parse_double};

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        format_double(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_look_as_c_prints_them_with_seventeen_digits() {
        for (value, expected) in [
            (0.1, "0.10000000000000001"),
            (3.0, "3"),
            (-2.5, "-2.5"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000"),
            (1.5e300, "1.5000000000000001e+300"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
            (123456789.125, "123456789.125"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn what_strtod_takes_is_a_double_and_nan_is_not() {
        assert_eq!(parse_double(b"1.5e3"), Some(1500.0));
        assert_eq!(parse_double(b"+inf"), Some(f64::INFINITY));
        assert_eq!(parse_double(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_double(b"0x10"), Some(16.0));
        assert_eq!(parse_double(b".5"), Some(0.5));
        for bad in ["", " 1", "1 ", "nan", "1e400", "--1", "+-1", "abc", "1x"] {
            assert_eq!(parse_double(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
