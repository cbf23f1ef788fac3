//! A part of a string that BITCOUNT and BITPOS look at.

use command_spec::ArgError;

use crate::{Error, Result};

/// What the ends of a span count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Byte,
    Bit,
}

impl Unit {
    pub(super) fn parse(text: &[u8]) -> Result<Unit> {
        if text.eq_ignore_ascii_case(b"BIT") {
            Ok(Unit::Bit)
        } else if text.eq_ignore_ascii_case(b"BYTE") {
            Ok(Unit::Byte)
        } else {
            Err(Error::Argument(ArgError::Syntax).into())
        }
    }
}

/// Neighbouring bits, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Span {
    /// From `start` to `end`, negative ones counted from the end; none when nothing lies between.
    pub(super) fn of(start: i64, end: i64, unit: Unit, bytes: &[u8]) -> Option<Span> {
        let width = if unit == Unit::Byte { 8 } else { 1 };
        let len = (bytes.len() * 8 / width) as i64;
        let from_end =
            |index: i64| if index < 0 { index.saturating_add(len).max(0) } else { index };
        let (start, end) = (from_end(start), from_end(end).min(len - 1));
        (start <= end)
            .then(|| Span { first: start as usize * width, last: end as usize * width + width - 1 })
    }

    /// The bytes in which the bits stand, and which bits of the first and of the last byte are meant.
    pub(super) fn bytes(self, bytes: &[u8]) -> (&[u8], u8, u8) {
        let part = &bytes[self.first / 8..=self.last / 8];
        (part, 0xff >> (self.first % 8), 0xff << (7 - self.last % 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_cut_to_the_string() {
        let of = |start, end, unit| {
            Span::of(start, end, unit, b"abc").map(|span| (span.first, span.last))
        };
        assert_eq!(of(0, -1, Unit::Byte), Some((0, 23)));
        assert_eq!(of(-2, -2, Unit::Byte), Some((8, 15)));
        assert_eq!(of(5, 100, Unit::Bit), Some((5, 23)));
        assert_eq!(of(i64::MIN, i64::MAX, Unit::Bit), Some((0, 23)));
        assert_eq!(of(3, 9, Unit::Byte), None);
        assert_eq!(Span::of(0, -1, Unit::Byte, b""), None);
    }
}
