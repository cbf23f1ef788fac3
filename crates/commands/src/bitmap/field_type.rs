//! The integers of any width that BITFIELD finds in a string.

use crate::{Error, Result};

/// `i` or `u`, and how many bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    Signed(u32),
    Unsigned(u32),
}

/// What happens to a number that its field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// The bits of as many bytes as the widest field can touch.
type Window = u128;
const WINDOW_BYTES: usize = 9;

impl FieldType {
    pub(super) fn parse(text: &[u8]) -> Result<FieldType> {
        let parsed = text.split_first().and_then(|(kind, width)| {
            let width = u32::try_from(resp::parse_integer(width)?).ok()?;
            match kind {
                b'i' if (1..=64).contains(&width) => Some(FieldType::Signed(width)),
                b'u' if (1..=63).contains(&width) => Some(FieldType::Unsigned(width)),
                _ => None,
            }
        });
        parsed.ok_or_else(|| {
            Error::text(
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            )
            .into()
        })
    }

    pub(super) fn width(self) -> u32 {
        match self {
            FieldType::Signed(width) | FieldType::Unsigned(width) => width,
        }
    }

    /// The number at a bit, where what lies past the string is zero.
    pub(super) fn read(self, bytes: &[u8], offset: u64) -> i64 {
        self.truncate((window(bytes, offset) >> self.shift(offset)) as u64)
    }

    /// The string must reach as far as the field does.
    pub(super) fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let mask = ((1 << self.width()) - 1) << self.shift(offset);
        let bits = (Window::from(value.cast_unsigned()) << self.shift(offset)) & mask;
        let window = (window(bytes, offset) & !mask) | bits;
        let new = &window.to_be_bytes()[size_of::<Window>() - WINDOW_BYTES..];
        let first = (offset / 8) as usize;
        bytes[first..].iter_mut().zip(new).for_each(|(byte, new)| *byte = *new);
    }

    /// The number as the field can hold it, if it can.
    pub(super) fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = match self {
            FieldType::Signed(width) => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
            FieldType::Unsigned(width) => (0, (1 << width) - 1),
        };
        if (min..=max).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.truncate(value as u64)),
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }

    /// What the lowest bits alone mean.
    fn truncate(self, bits: u64) -> i64 {
        let unused = 64 - self.width();
        match self {
            FieldType::Signed(_) => (bits << unused).cast_signed() >> unused,
            FieldType::Unsigned(_) => (bits << unused >> unused).cast_signed(),
        }
    }

    /// How far the field stands from the lower end of its window.
    fn shift(self, offset: u64) -> u32 {
        8 * WINDOW_BYTES as u32 - (offset % 8) as u32 - self.width()
    }
}

fn window(bytes: &[u8], offset: u64) -> Window {
    let first = (offset / 8) as usize;
    let byte = |index: usize| bytes.get(first + index).copied().unwrap_or(0);
    (0..WINDOW_BYTES).fold(0, |window, index| (window << 8) | Window::from(byte(index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_end_where_a_reply_does() {
        assert_eq!(FieldType::parse(b"i64").ok(), Some(FieldType::Signed(64)));
        assert_eq!(FieldType::parse(b"u63").ok(), Some(FieldType::Unsigned(63)));
        for text in ["", "i", "u64", "i65", "u0", "i-1", "x8", "u08", "8"] {
            assert!(FieldType::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_field_reads_what_was_written_and_spares_its_neighbours() {
        for width in 1..=64 {
            for offset in 0..17 {
                let field = FieldType::Signed(width);
                let value = field.truncate(0x9e37_79b9_7f4a_7c15);
                let mut ones = vec![0xff; 11];
                field.write(&mut ones, offset, value);
                assert_eq!(field.read(&ones, offset), value, "{width} bits at {offset}");
                field.write(&mut ones, offset, -1);
                assert_eq!(ones, [0xff; 11]);
            }
        }
    }

    #[test]
    fn what_is_too_large_wraps_saturates_or_fails() {
        let (byte, signed) = (FieldType::Unsigned(8), FieldType::Signed(8));
        assert_eq!(byte.fit(256, Overflow::Wrap), Some(0));
        assert_eq!(byte.fit(256, Overflow::Saturate), Some(255));
        assert_eq!(byte.fit(-1, Overflow::Saturate), Some(0));
        assert_eq!(signed.fit(128, Overflow::Wrap), Some(-128));
        assert_eq!(signed.fit(-129, Overflow::Saturate), Some(-128));
        assert_eq!(signed.fit(128, Overflow::Fail), None);
        let widest = FieldType::Signed(64);
        assert_eq!(widest.fit(i128::from(i64::MAX) + 1, Overflow::Wrap), Some(i64::MIN));
    }
}
