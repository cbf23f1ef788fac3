//! Ziplists, which listpacks replaced: only read.
//!
//! ```text
//! 4 bytes: length of it all    4 bytes: where the last item is    2 bytes: number of items    items    0xff
//! ```
//!
//! An item is the length of the one before it, an encoding and its bytes.

use keyspace::StringRef;

use crate::error::Malformed;
use crate::packed::{self, END, Format, integer, string};

/// Announces a length of four bytes.
const LONG_BEFORE: u8 = 0xfe;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ziplist {
    /// The length of the item before.
    before: usize,
}

pub(crate) type Items<'a> = packed::Items<'a, Ziplist>;

impl Format for Ziplist {
    const HEADER: usize = 10;
    const WRONG: Malformed = Malformed("a ziplist is damaged");

    fn take<'a>(&mut self, all: &'a [u8]) -> Option<(StringRef<'a>, &'a [u8])> {
        let (before, tail) = match all.split_first()? {
            (&LONG_BEFORE, tail) => {
                let (len, tail) = tail.split_first_chunk()?;
                (u32::from_le_bytes(*len) as usize, tail)
            }
            (&END, _) => return None,
            (len, tail) => (usize::from(*len), tail),
        };
        if before != self.before {
            return None;
        }
        let (first, tail) = tail.split_first()?;
        let low = usize::from(*first & 0x3f);
        let (item, tail) = match first {
            0x00..=0x3f => string(tail, low)?,
            0x40..=0x7f => {
                let (&[second], tail) = tail.split_first_chunk()?;
                string(tail, low << 8 | usize::from(second))?
            }
            0x80 => {
                let (len, tail) = tail.split_first_chunk()?;
                string(tail, u32::from_be_bytes(*len) as usize)?
            }
            0xc0 => integer(tail, 2)?,
            0xd0 => integer(tail, 4)?,
            0xe0 => integer(tail, 8)?,
            0xf0 => integer(tail, 3)?,
            0xfe => integer(tail, 1)?,
            0xf1..=0xfd => (StringRef::Int(i64::from(*first & 0x0f) - 1), tail),
            _ => return None,
        };
        self.before = all.len() - tail.len();
        Some((item, tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = Ziplist::HEADER;

    /// A ziplist around items that are encoded already, without the length of the one before.
    fn ziplist(items: &[&[u8]]) -> Vec<u8> {
        let mut content = Vec::new();
        let mut before = 0;
        for item in items {
            let start = content.len();
            if before < 254 {
                content.push(before as u8);
            } else {
                content.push(LONG_BEFORE);
                content.extend((before as u32).to_le_bytes());
            }
            content.extend_from_slice(item);
            before = content.len() - start;
        }
        let mut bytes = ((HEADER + content.len() + 1) as u32).to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend((items.len() as u16).to_le_bytes());
        bytes.extend(content);
        bytes.push(END);
        bytes
    }

    #[test]
    fn items_of_every_encoding_are_read() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let longest = [&[0x80, 0, 0, 0, 2][..], b"zz"].concat();
        let bytes = ziplist(&[
            b"\x03abc",
            &long,
            &longest,
            b"\xc0\x00\x80",
            b"\xd0\xff\xff\xff\xff",
            b"\xe0\0\0\0\0\0\0\0\x80",
            b"\xf0\xff\xff\x7f",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
        ]);
        let items: Vec<Vec<u8>> =
            Items::read(&bytes).unwrap().map(|item| item.unwrap().to_vec()).collect();
        assert_eq!(items[0], b"abc");
        assert_eq!(items[1], vec![b'x'; 300]);
        let integers: Vec<_> =
            items[3..].iter().map(|item| str::from_utf8(item).unwrap()).collect();
        let expected = ["-32768", "-1", "-9223372036854775808", "8388607", "-128", "0", "12"];
        assert_eq!(integers, expected);
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = ziplist(&[b"\x03abc", b"\xc0\x00\x80"]);
        for cut in 0..bytes.len() {
            assert!(Items::read(&bytes[..cut]).is_err());
        }
        for at in HEADER..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[at] = 0xff;
            assert!(Items::read(&damaged).is_ok_and(|items| items.take(100).count() < 100));
        }
        assert!(Items::read(&ziplist(&[b"\xff"])).unwrap().any(|item| item.is_err()));
    }
}
