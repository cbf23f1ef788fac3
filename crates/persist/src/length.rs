//! Lengths: one, two, five or nine bytes, or the sign that a string is encoded specially.
//!
//! ```text
//! 00llllll    01llllll llllllll    10000000 and 4 bytes    10000001 and 8 bytes    11eeeeee
//! ```

use crate::error::{Result, malformed};
use crate::source::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Plain(u64),
    /// The encoding of a string.
    Special(u8),
}

pub(crate) fn read_any(source: &mut Source) -> Result<Length> {
    let first = source.byte()?;
    let low = first & 0x3f;
    Ok(match (first >> 6, low) {
        (0, len) => Length::Plain(len.into()),
        (1, high) => Length::Plain(u64::from(high) << 8 | u64::from(source.byte()?)),
        (2, 0) => Length::Plain(u32::from_be_bytes(source.array()?).into()),
        (2, 1) => Length::Plain(u64::from_be_bytes(source.array()?)),
        (2, _) => return malformed("a length is of no known form"),
        (_, encoding) => Length::Special(encoding),
    })
}

pub(crate) fn read(source: &mut Source) -> Result<u64> {
    match read_any(source)? {
        Length::Plain(len) => Ok(len),
        Length::Special(_) => malformed("an encoding stands where a length should be"),
    }
}

pub(crate) fn write(out: &mut Vec<u8>, len: u64) {
    match len {
        0..0x40 => out.push(len as u8),
        0x40..0x4000 => out.extend([0x40 | (len >> 8) as u8, len as u8]),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend((len as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend(len.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_size_come_back() {
        for len in [0, 63, 64, 16_383, 16_384, u32::MAX.into(), 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            write(&mut bytes, len);
            assert_eq!(read(&mut Source::new(&mut &bytes[..])).unwrap(), len);
        }
        assert!(read(&mut Source::new(&mut &b"\xc3"[..])).is_err());
        assert!(read(&mut Source::new(&mut &b"\x82\x01"[..])).is_err());
    }
}
