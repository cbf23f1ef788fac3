//! Ziplists, which listpacks replaced: only read.
//!
//! ```text
//! 4 bytes: length of it all    4 bytes: where the last item is    2 bytes: number of items    items    0xff
//! ```
//!
//! An item is the length of the one before it, an encoding and its bytes.

use keyspace::StringRef;

use crate::error::Malformed;
use crate::listpack::sign_extend;

const HEADER: usize = 10;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Announces a length of four bytes.
const LONG_BEFORE: u8 = 0xfe;

const WRONG: Malformed = Malformed("a ziplist is damaged");

/// The items, each as it is reached. After what is wrong nothing comes.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    rest: &'a [u8],
    left: Option<u16>,
    /// The length of the item before.
    before: usize,
}

pub(crate) fn read(bytes: &[u8]) -> Result<Items<'_>, Malformed> {
    let (header, content) = bytes.split_first_chunk::<HEADER>().ok_or(WRONG)?;
    let [a, b, c, d, _, _, _, _, e, f] = *header;
    let (Some((&END, items)), true) =
        (content.split_last(), u32::from_le_bytes([a, b, c, d]) as usize == bytes.len())
    else {
        return Err(WRONG);
    };
    let count = u16::from_le_bytes([e, f]);
    Ok(Items { rest: items, left: (count != COUNT_UNKNOWN).then_some(count), before: 0 })
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<StringRef<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let is_short = self.left.is_some_and(|left| left > 0);
            self.left = None;
            return is_short.then_some(Err(WRONG));
        }
        let item = self.take_item();
        if item.is_none() {
            *self = Items { rest: &[], left: None, before: 0 };
        }
        Some(item.ok_or(WRONG))
    }
}

impl<'a> Items<'a> {
    fn take_item(&mut self) -> Option<StringRef<'a>> {
        let all = self.rest;
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
        self.rest = tail;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        Some(item)
    }
}

fn string(tail: &[u8], len: usize) -> Option<(StringRef<'_>, &[u8])> {
    let (bytes, tail) = tail.split_at_checked(len)?;
    Some((StringRef::Bytes(bytes), tail))
}

fn integer(tail: &[u8], width: usize) -> Option<(StringRef<'static>, &[u8])> {
    let (bytes, tail) = tail.split_at_checked(width)?;
    let mut word = [0; 8];
    word[..width].copy_from_slice(bytes);
    Some((StringRef::Int(sign_extend(u64::from_le_bytes(word), 8 * width as u32)), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            read(&bytes).unwrap().map(|item| item.unwrap().to_vec()).collect();
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
            assert!(read(&bytes[..cut]).is_err());
        }
        for at in HEADER..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[at] = 0xff;
            assert!(read(&damaged).is_ok_and(|items| items.take(100).count() < 100));
        }
        assert!(read(&ziplist(&[b"\xff"])).unwrap().any(|item| item.is_err()));
    }
}
