//! Listpacks: small strings and integers, one after another in one string.
//!
//! ```text
//! 4 bytes: length of it all    2 bytes: number of items    items    0xff
//! ```
//!
//! An item is an encoding, its bytes, and the length of both written so that it can be read from behind.

use keyspace::StringRef;

use crate::error::Malformed;
use crate::packed::{self, COUNT_UNKNOWN, END, Format, integer, sign_extend, string};

const HEADER: usize = 6;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listpack;

pub(crate) type Items<'a> = packed::Items<'a, Listpack>;

impl Format for Listpack {
    const HEADER: usize = HEADER;
    const WRONG: Malformed = Malformed("a listpack is damaged");

    fn take<'a>(&mut self, all: &'a [u8]) -> Option<(StringRef<'a>, &'a [u8])> {
        let (first, tail) = all.split_first()?;
        let low = usize::from(*first);
        let (item, tail) = match first {
            0x00..=0x7f => (StringRef::Int((*first).into()), tail),
            0x80..=0xbf => string(tail, low & 0x3f)?,
            0xc0..=0xdf => {
                let (&[second], tail) = tail.split_first_chunk()?;
                let raw = (low & 0x1f) << 8 | usize::from(second);
                // Thirteen bits with a sign.
                (StringRef::Int(sign_extend(raw as u64, 13)), tail)
            }
            0xe0..=0xef => {
                let (&[second], tail) = tail.split_first_chunk()?;
                string(tail, (low & 0x0f) << 8 | usize::from(second))?
            }
            0xf0 => {
                let (len, tail) = tail.split_first_chunk()?;
                string(tail, u32::from_le_bytes(*len) as usize)?
            }
            0xf1 => integer(tail, 2)?,
            0xf2 => integer(tail, 3)?,
            0xf3 => integer(tail, 4)?,
            0xf4 => integer(tail, 8)?,
            _ => return None,
        };
        let (back, back_size) = back_length(all.len() - tail.len());
        Some((item, tail.strip_prefix(&back[..back_size])?))
    }
}

/// The length of an item, to be read from behind: seven bits a byte, all but the first marked.
fn back_length(len: usize) -> ([u8; 5], usize) {
    // Redis' limits, some of which are one below what would fit.
    let size = match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (place, byte) in bytes[..size].iter_mut().enumerate() {
        let mark = if place == 0 { 0 } else { 0x80 };
        *byte = (len >> (7 * (size - 1 - place))) as u8 & 0x7f | mark;
    }
    (bytes, size)
}

#[derive(Clone, Debug)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Builder { bytes: vec![0; HEADER], count: 0 }
    }
}

impl Builder {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Text that spells an integer is kept as that.
    pub(crate) fn push(&mut self, item: &[u8]) {
        if let Some(integer) = StringRef::Bytes(item).as_int() {
            return self.push_integer(integer);
        }
        let start = self.bytes.len();
        match item.len() {
            len @ ..64 => self.bytes.push(0x80 | len as u8),
            len @ 64..4096 => self.bytes.extend([0xe0 | (len >> 8) as u8, len as u8]),
            len => {
                self.bytes.push(0xf0);
                self.bytes.extend((len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(item);
        self.end_item(start);
    }

    pub(crate) fn push_integer(&mut self, integer: i64) {
        let start = self.bytes.len();
        let bytes = integer.to_le_bytes();
        match integer {
            0..128 => self.bytes.push(integer as u8),
            -0x1000..0x1000 => {
                self.bytes.extend([0xc0 | (integer >> 8) as u8 & 0x1f, integer as u8]);
            }
            -0x8000..0x8000 => self.push_wide(0xf1, &bytes[..2]),
            -0x80_0000..0x80_0000 => self.push_wide(0xf2, &bytes[..3]),
            -0x8000_0000..0x8000_0000 => self.push_wide(0xf3, &bytes[..4]),
            _ => self.push_wide(0xf4, &bytes),
        }
        self.end_item(start);
    }

    /// Takes over all items of another.
    pub(crate) fn append(&mut self, other: &Builder) {
        self.bytes.extend_from_slice(&other.bytes[HEADER..]);
        self.count += other.count;
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let len = self.bytes.len() as u32;
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }

    fn push_wide(&mut self, encoding: u8, bytes: &[u8]) {
        self.bytes.push(encoding);
        self.bytes.extend_from_slice(bytes);
    }

    fn end_item(&mut self, start: usize) {
        let (back, size) = back_length(self.bytes.len() - start);
        self.bytes.extend_from_slice(&back[..size]);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(items: &[Vec<u8>]) {
        let mut builder = Builder::default();
        items.iter().for_each(|item| builder.push(item));
        let bytes = builder.finish();
        let back: Vec<Vec<u8>> =
            Items::read(&bytes).unwrap().map(|item| item.unwrap().to_vec()).collect();
        assert!(back == items);
    }

    #[test]
    fn items_of_every_encoding_come_back() {
        let mut items = Vec::new();
        for power in 0..63 {
            for near in -2..=2 {
                let integer = (1_i64 << power) + near;
                items.push(integer.to_string().into_bytes());
                items.push((-integer).to_string().into_bytes());
            }
        }
        for len in [0, 1, 63, 64, 127, 128, 4_095, 4_096, 16_375, 16_376, 16_377, 16_378, 16_379] {
            items.push(vec![b'x'; len]);
        }
        items.push(vec![b'y'; 2_097_143]);
        items.push(vec![b'y'; 2_097_151]);
        round_trip(&items);
        round_trip(&[]);
        round_trip(&vec![b"7".to_vec(); 70_000]);
    }

    #[test]
    fn damage_is_noticed() {
        let mut builder = Builder::default();
        [&b"abc"[..], b"1000", b"70000", &[b'z'; 100]].iter().for_each(|item| builder.push(item));
        let bytes = builder.finish();
        for cut in 0..bytes.len() {
            assert!(Items::read(&bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let Ok(items) = Items::read(&damaged) else { continue };
                // It may say something else, but it ends.
                assert!(items.take(1_000).count() < 1_000);
            }
        }
        let mut short = bytes.clone();
        short[4] += 1;
        assert!(Items::read(&short).unwrap().any(|item| item.is_err()));
        short[4] -= 2;
        assert!(Items::read(&short).unwrap().any(|item| item.is_err()));
    }
}
