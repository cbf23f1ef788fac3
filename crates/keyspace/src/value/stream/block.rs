//! A run of neighbouring entries in one allocation.
//!
//! Layout: the field names of the first entry, then one record per entry:
//!
//! ```text
//! flags  ms  seq  body length  body  record length, written backwards
//! ```
//!
//! Every number is a varint. `ms` and `seq` count from the block's first id. A record with the first entry's names (the
//! usual case) has only its values in the body; another one starts with its number of fields and has the names as well.
//! The length at the end is what lets a reader walk towards the front.

use super::StreamId;
use super::varint::{
    bytes_size, put_bytes, put_varint, put_varint_backwards, take_bytes, take_varint,
    take_varint_backwards, varint_size,
};

/// How much one block may hold; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    pub entries_max: usize,
    pub bytes_max: usize,
}

impl Default for BlockLimits {
    fn default() -> BlockLimits {
        BlockLimits { entries_max: 100, bytes_max: 4096 }
    }
}

impl BlockLimits {
    /// What a block may come to when the limit in bytes is off or higher.
    const BYTES_MAX: usize = 1 << 30;

    /// How many entries an approximate trim may remove when the caller sets no limit of its own.
    pub fn trim_limit(self) -> usize {
        match self.entries_max.saturating_mul(100) {
            0 => 10_000,
            limit => limit.min(1_000_000),
        }
    }
}

/// One entry, as it stands in its block.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub id: StreamId,
    pub fields: Fields<'a>,
}

/// The fields of an entry, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The block's names, when the entry shares them; else each name stands before its value.
    names: Option<&'a [u8]>,
    body: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = take_bytes(self.names.as_mut().unwrap_or(&mut self.body));
        Some((name, take_bytes(&mut self.body)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

const DELETED: u8 = 1;
const OWN_NAMES: u8 = 2;

#[derive(Clone, Debug)]
pub(super) struct Block {
    base: StreamId,
    name_count: usize,
    names_len: usize,
    /// Where the records begin that are worth reading: all before are deleted, as they are in a log that is trimmed
    /// entry by entry.
    records_at: usize,
    /// How many entries it ever had. The limit is on these, as in Redis: approximate trims then find the same blocks.
    ever: usize,
    live: usize,
    /// How many deleted ones still take up room.
    deleted: usize,
    bytes: Vec<u8>,
}

impl Block {
    /// A block around its first entry, whose names the others are expected to have.
    pub(super) fn new<'f>(
        id: StreamId,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Block {
        let mut bytes = Vec::new();
        let mut name_count = 0;
        for (name, _) in fields.clone() {
            put_bytes(&mut bytes, name);
            name_count += 1;
        }
        let names_len = bytes.len();
        let mut block = Block {
            base: id,
            name_count,
            names_len,
            records_at: names_len,
            ever: 0,
            live: 0,
            deleted: 0,
            bytes,
        };
        block.push(id, fields);
        block
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The bytes it holds on to.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn has_room(&self, payload_len: usize, limits: BlockLimits) -> bool {
        let bytes_max = match limits.bytes_max {
            0 => BlockLimits::BYTES_MAX,
            max => max.min(BlockLimits::BYTES_MAX),
        };
        let full = limits.entries_max != 0 && self.ever >= limits.entries_max;
        !full && self.bytes.len() + payload_len < bytes_max
    }

    /// Gives back what was set aside for entries that will now go to another block.
    pub(super) fn seal(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// The caller sees to it that ids grow.
    pub(super) fn push<'f>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) {
        let own_names = !self.has_names(fields.clone().map(|(name, _)| name));
        let mut body_len: usize = fields.clone().map(|(_, value)| bytes_size(value)).sum();
        let mut count = 0;
        if own_names {
            count = fields.clone().count();
            body_len += varint_size(count as u64)
                + fields.clone().map(|(name, _)| bytes_size(name)).sum::<usize>();
        }

        let (ms, seq) = self.distance(id);
        let start = self.bytes.len();
        self.bytes.push(if own_names { OWN_NAMES } else { 0 });
        put_varint(&mut self.bytes, ms);
        put_varint(&mut self.bytes, seq);
        put_varint(&mut self.bytes, body_len as u64);
        if own_names {
            put_varint(&mut self.bytes, count as u64);
        }
        for (name, value) in fields {
            if own_names {
                put_bytes(&mut self.bytes, name);
            }
            put_bytes(&mut self.bytes, value);
        }
        let len = self.bytes.len() - start;
        put_varint_backwards(&mut self.bytes, len as u64);
        self.ever += 1;
        self.live += 1;
    }

    pub(super) fn entries(&self) -> Entries<'_> {
        Entries(self.records())
    }

    pub(super) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.id >= id).filter(|entry| entry.id == id)
    }

    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let mut records = self.records();
        loop {
            let at = self.bytes.len() - records.rest.len();
            let Some(record) = records.next().filter(|record| record.entry.id <= id) else {
                return false;
            };
            if record.entry.id == id {
                if record.deleted {
                    return false;
                }
                let following = self.bytes.len() - records.rest.len();
                self.mark_deleted(at, following);
                self.compact();
                return true;
            }
        }
    }

    /// Deletes from the front for as long as `condition` holds, and says how many.
    pub(super) fn delete_while(&mut self, mut condition: impl FnMut(StreamId) -> bool) -> usize {
        let live_before = self.live;
        let mut records = self.records();
        while let Some(record) = records.next() {
            let following = self.bytes.len() - records.rest.len();
            if record.deleted {
                self.records_at = following;
            } else if condition(record.entry.id) {
                self.mark_deleted(self.records_at, following);
            } else {
                break;
            }
            records = self.records();
        }
        self.compact();
        live_before - self.live
    }

    /// Deletes the live record from `at` up to the `following` one.
    fn mark_deleted(&mut self, at: usize, following: usize) {
        self.bytes[at] |= DELETED;
        self.live -= 1;
        self.deleted += 1;
        if at == self.records_at {
            self.records_at = following;
        }
    }

    /// Drops what is deleted once it outnumbers what is not, so that each entry is moved at most once per deletion.
    fn compact(&mut self) {
        if self.deleted <= self.live || self.live == 0 {
            return;
        }
        let mut kept = Vec::with_capacity(self.bytes.len() / 2);
        kept.extend_from_slice(&self.bytes[..self.names_len]);
        let mut records = self.records();
        loop {
            let at = self.bytes.len() - records.rest.len();
            let Some(record) = records.next() else { break };
            if !record.deleted {
                kept.extend_from_slice(&self.bytes[at..self.bytes.len() - records.rest.len()]);
            }
        }
        kept.shrink_to_fit();
        self.bytes = kept;
        self.records_at = self.names_len;
        self.deleted = 0;
    }

    fn records(&self) -> Records<'_> {
        Records { block: self, rest: &self.bytes[self.records_at..] }
    }

    fn names(&self) -> &[u8] {
        &self.bytes[..self.names_len]
    }

    fn has_names<'f>(&self, names: impl Iterator<Item = &'f [u8]>) -> bool {
        let mut own = self.names();
        let mut left = self.name_count;
        for name in names {
            if left == 0 || take_bytes(&mut own) != name {
                return false;
            }
            left -= 1;
        }
        left == 0
    }

    /// A later millisecond starts counting its sequence from 0 again, so only the first one counts from the base's.
    fn distance(&self, id: StreamId) -> (u64, u64) {
        match id.ms - self.base.ms {
            0 => (0, id.seq - self.base.seq),
            ms => (ms, id.seq),
        }
    }

    fn id_at(&self, ms: u64, seq: u64) -> StreamId {
        match ms {
            0 => StreamId::new(self.base.ms, self.base.seq + seq),
            ms => StreamId::new(self.base.ms + ms, seq),
        }
    }
}

/// The entries of a block that are not deleted, from either end.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a>(Records<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.0.find(|record| !record.deleted).map(|record| record.entry)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.rfind(|record| !record.deleted).map(|record| record.entry)
    }
}

struct Record<'a> {
    deleted: bool,
    entry: Entry<'a>,
}

#[derive(Clone, Debug)]
struct Records<'a> {
    block: &'a Block,
    /// Whole records, those not yet walked.
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.rest;
        let record = take_record(&mut self.rest, self.block);
        let len = start.len() - self.rest.len();
        self.rest = &self.rest[varint_size(len as u64)..];
        Some(record)
    }
}

impl DoubleEndedIterator for Records<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let len = take_varint_backwards(&mut self.rest) as usize;
        let (before, mut record) = self.rest.split_at(self.rest.len() - len);
        self.rest = before;
        Some(take_record(&mut record, self.block))
    }
}

/// Takes a record up to the end of its body.
fn take_record<'a>(from: &mut &'a [u8], block: &'a Block) -> Record<'a> {
    let flags = from[0];
    *from = &from[1..];
    let ms = take_varint(from);
    let seq = take_varint(from);
    let mut body = take_bytes(from);
    let (names, left) = match flags & OWN_NAMES {
        0 => (Some(block.names()), block.name_count),
        _ => (None, take_varint(&mut body) as usize),
    };
    let entry = Entry { id: block.id_at(ms, seq), fields: Fields { names, body, left } };
    Record { deleted: flags & DELETED != 0, entry }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair<'a> = (&'a str, &'a str);

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    fn pairs<'a>(fields: &'a [Pair<'a>]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
        fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn ids(block: &Block) -> Vec<u64> {
        block.entries().map(|entry| entry.id.ms).collect()
    }

    fn block_of(count: u64) -> Block {
        let mut block = Block::new(id(1, 0), pairs(&[("name", "value")]));
        for ms in 2..=count {
            block.push(id(ms, 0), pairs(&[("name", "value")]));
        }
        block
    }

    #[test]
    fn entries_come_back_as_they_were_from_either_end() {
        let long = &*"v".repeat(70_000);
        let first: &[(&str, &str)] = &[("a", "1"), ("b", "")];
        let other: &[(&str, &str)] = &[("a", "3")];
        let third: &[(&str, &str)] = &[("a", "4"), ("b", long)];
        let written = [
            (id(5, u64::MAX - 1), first),
            (id(5, u64::MAX), other),
            (id(6, u64::MAX), third),
            (id(u64::MAX, 7), &[("a", "5"), ("c", "6"), ("b", "7")]),
        ];
        let bytes = |fields: &[(&str, &str)]| -> Vec<(Vec<u8>, Vec<u8>)> {
            fields
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect()
        };
        let mut block = Block::new(written[0].0, pairs(written[0].1));
        for (id, fields) in &written[1..] {
            block.push(*id, pairs(fields));
        }

        let read = |entry: Entry| {
            let fields = entry
                .fields
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect::<Vec<_>>();
            (entry.id, fields)
        };
        let mut expected: Vec<_> =
            written.iter().map(|(id, fields)| (*id, bytes(fields))).collect();
        assert_eq!(block.entries().map(read).collect::<Vec<_>>(), expected);
        expected.reverse();
        assert_eq!(block.entries().rev().map(read).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_that_repeat_are_stored_once() {
        let mut block = Block::new(id(1, 0), pairs(&[("a-rather-long-field-name", "v")]));
        let before = block.bytes.len();
        block.push(id(1, 1), pairs(&[("a-rather-long-field-name", "v")]));
        assert_eq!(block.bytes.len() - before, 7);
    }

    #[test]
    fn a_deleted_entry_is_passed_over() {
        let mut block = block_of(4);
        assert!(block.delete(id(2, 0)));
        assert_eq!(ids(&block), [1, 3, 4]);
        assert!(!block.delete(id(2, 0)));
        assert!(!block.delete(id(9, 0)));
        assert!(block.get(id(2, 0)).is_none());
        assert_eq!(block.get(id(3, 0)).map(|entry| entry.id), Some(id(3, 0)));
    }

    #[test]
    fn a_block_of_mostly_deleted_entries_shrinks() {
        let mut block = block_of(20);
        let before = block.capacity();
        for ms in (1..=20).filter(|ms| ms % 4 != 0) {
            assert!(block.delete(id(ms, 0)));
        }
        assert_eq!(ids(&block), [4, 8, 12, 16, 20]);
        assert!(block.deleted <= block.live);
        assert!(block.capacity() < before / 2);
    }

    #[test]
    fn deleting_from_the_front_stops_at_the_condition() {
        let mut block = block_of(10);
        block.delete(id(2, 0));
        assert_eq!(block.delete_while(|id| id.ms < 5), 3);
        assert_eq!(ids(&block), [5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_block_is_full_by_entries_or_by_bytes() {
        let block = block_of(10);
        assert!(!block.has_room(1, BlockLimits { entries_max: 10, bytes_max: 0 }));
        assert!(block.has_room(1, BlockLimits { entries_max: 11, bytes_max: 0 }));
        assert!(
            !block.has_room(1, BlockLimits { entries_max: 0, bytes_max: block.bytes.len() + 1 })
        );
        assert!(
            block.has_room(1, BlockLimits { entries_max: 0, bytes_max: block.bytes.len() + 2 })
        );
    }

    #[test]
    fn deleted_entries_count_towards_a_full_block() {
        let mut block = block_of(10);
        (1..10).for_each(|ms| assert!(block.delete(id(ms, 0))));
        assert!(!block.has_room(1, BlockLimits { entries_max: 10, bytes_max: 0 }));
    }

    #[test]
    fn an_approximate_trim_is_limited_by_default() {
        assert_eq!(BlockLimits::default().trim_limit(), 10_000);
        assert_eq!(BlockLimits { entries_max: 1, bytes_max: 0 }.trim_limit(), 100);
        assert_eq!(BlockLimits { entries_max: 0, bytes_max: 0 }.trim_limit(), 10_000);
        assert_eq!(BlockLimits { entries_max: usize::MAX, bytes_max: 0 }.trim_limit(), 1_000_000);
    }
}
