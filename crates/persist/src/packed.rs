//! What listpacks and ziplists have in common: items one after another in one string.
//!
//! ```text
//! header: 4 bytes: length of it all … 2 bytes: number of items    items    0xff
//! ```

use keyspace::StringRef;

use crate::error::Malformed;

pub(crate) const END: u8 = 0xff;
/// Stands for all that does not fit.
pub(crate) const COUNT_UNKNOWN: u16 = u16::MAX;

/// How one item is written.
pub(crate) trait Format: Default {
    const HEADER: usize;
    const WRONG: Malformed;

    /// The first item, and what follows it.
    fn take<'a>(&mut self, items: &'a [u8]) -> Option<(StringRef<'a>, &'a [u8])>;
}

/// The items, each as it is reached. After what is wrong nothing comes.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a, F> {
    rest: &'a [u8],
    /// How many are to come, if that is known.
    left: Option<u16>,
    format: F,
}

impl<'a, F: Format> Items<'a, F> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, content) = bytes.split_at_checked(F::HEADER).ok_or(F::WRONG)?;
        let len = header.first_chunk().map(|len| u32::from_le_bytes(*len) as usize);
        let count = header.last_chunk().map(|count| u16::from_le_bytes(*count));
        match (content.split_last(), count) {
            (Some((&END, items)), Some(count)) if len == Some(bytes.len()) => {
                let left = (count != COUNT_UNKNOWN).then_some(count);
                Ok(Items { rest: items, left, format: F::default() })
            }
            _ => Err(F::WRONG),
        }
    }

    /// The next item, which must be there.
    pub(crate) fn item(&mut self) -> Result<StringRef<'a>, Malformed> {
        self.next().unwrap_or(Err(F::WRONG))
    }

    pub(crate) fn integer(&mut self) -> Result<i64, Malformed> {
        self.item()?.as_int().ok_or(F::WRONG)
    }

    fn take_item(&mut self) -> Option<StringRef<'a>> {
        let (item, rest) = self.format.take(self.rest)?;
        self.rest = rest;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        Some(item)
    }
}

impl<'a, F: Format> Iterator for Items<'a, F> {
    type Item = Result<StringRef<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            let is_short = self.left.is_some_and(|left| left > 0);
            self.left = None;
            return is_short.then_some(Err(F::WRONG));
        }
        let item = self.take_item();
        if item.is_none() {
            (self.rest, self.left) = (&[], None);
        }
        Some(item.ok_or(F::WRONG))
    }
}

pub(crate) fn string(tail: &[u8], len: usize) -> Option<(StringRef<'_>, &[u8])> {
    let (bytes, tail) = tail.split_at_checked(len)?;
    Some((StringRef::Bytes(bytes), tail))
}

pub(crate) fn integer(tail: &[u8], width: usize) -> Option<(StringRef<'static>, &[u8])> {
    let (bytes, tail) = tail.split_at_checked(width)?;
    let mut word = [0; 8];
    word[..width].copy_from_slice(bytes);
    Some((StringRef::Int(sign_extend(u64::from_le_bytes(word), 8 * width as u32)), tail))
}

pub(crate) fn sign_extend(raw: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (raw << unused).cast_signed() >> unused
}
