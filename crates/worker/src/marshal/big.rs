//! Integers beyond 64 bits: decimal text on our side, 15-bit digits (least significant first) on Python's.

const BASE: u32 = 1 << 15;

/// Both directions take quadratic time, so the size is bounded: 300,000 bits.
pub(crate) const DIGITS_MAX: usize = 20_000;

pub(crate) fn to_decimal(negative: bool, digits: &[u16]) -> String {
    // Nine decimal digits a limb, least significant first.
    const LIMB: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = vec![0];
    for &digit in digits.iter().rev() {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let sum = u64::from(*limb) * u64::from(BASE) + carry;
            *limb = (sum % LIMB) as u32;
            carry = sum / LIMB;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    let mut text = String::with_capacity(limbs.len() * 9 + 1);
    if negative {
        text.push('-');
    }
    let (top, rest) = limbs.split_last().expect("there is always one limb");
    text.push_str(&top.to_string());
    for limb in rest.iter().rev() {
        text.push_str(&format!("{limb:09}"));
    }
    text
}

/// `None` when the text is not a decimal integer of bearable size.
pub(crate) fn from_decimal(text: &str) -> Option<(bool, Vec<u16>)> {
    let (negative, decimal) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if decimal.is_empty() || !decimal.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut digits: Vec<u16> = Vec::new();
    for byte in decimal.bytes() {
        let mut carry = u32::from(byte - b'0');
        for digit in &mut digits {
            let sum = u32::from(*digit) * 10 + carry;
            *digit = (sum % BASE) as u16;
            carry = sum / BASE;
        }
        if carry > 0 {
            digits.push(carry as u16);
        }
        if digits.len() > DIGITS_MAX {
            return None;
        }
    }
    Some((negative, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_survives_both_ways() {
        for text in
            ["0", "32768", "-9223372036854775809", "340282366920938463463374607431768211456"]
        {
            let (negative, digits) = from_decimal(text).unwrap();
            assert_eq!(to_decimal(negative, &digits), text);
        }
    }

    #[test]
    fn text_that_is_no_integer_is_refused() {
        assert!(from_decimal("12a").is_none());
        assert!(from_decimal("-").is_none());
    }
}
