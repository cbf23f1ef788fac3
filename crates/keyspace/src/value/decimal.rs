//! Integers as the text that stands for them, and back.

use std::ops::Deref;

/// What `i64::MIN` takes.
const LEN_MAX: usize = 20;

/// The text of an integer, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    text: [u8; LEN_MAX],
    start: u8,
}

impl From<i64> for Decimal {
    fn from(integer: i64) -> Self {
        let mut text = [0; LEN_MAX];
        let mut start = LEN_MAX;
        let mut rest = integer.unsigned_abs();
        loop {
            start -= 1;
            text[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if integer < 0 {
            start -= 1;
            text[start] = b'-';
        }
        Decimal { text, start: start as u8 }
    }
}

impl Deref for Decimal {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text[usize::from(self.start)..]
    }
}

/// The integer whose one text this is: no plus sign, no leading zeros, no minus zero.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => digits.len() < LEN_MAX,
        _ => false,
    };
    if !is_canonical {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_reads_back_from_its_text() {
        for integer in [0, 7, -7, 10, 12_345, i64::MAX, i64::MIN] {
            let text = Decimal::from(integer);
            assert_eq!(&*text, integer.to_string().as_bytes());
            assert_eq!(parse(&text), Some(integer));
        }
    }

    #[test]
    fn only_the_text_that_would_be_written_is_an_integer() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            "1 ",
            " 1",
            "1.0",
            "9223372036854775808",
            "00000000000000000001",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
