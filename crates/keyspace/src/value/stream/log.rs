use std::collections::{BTreeMap, btree_map};
use std::iter::FlatMap;

use super::block::{Block, BlockLimits, Entries, Entry};
use super::{IdError, IdSpec, StreamId};

/// The entries of a stream, in the order of their ids, and what is remembered of those that are gone.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// By the id of the first entry each ever had. Invariant: none is without a live entry.
    blocks: BTreeMap<StreamId, Block>,
    len: usize,
    /// What all blocks hold on to, kept up so that asking costs nothing.
    blocks_bytes: usize,
    /// Of the first live entry; 0-0 without one.
    first_id: StreamId,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
}

/// What a trim keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    MaxLen(usize),
    MinId(StreamId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimPrecision {
    Exact,
    /// Whole blocks only, and of them no more than hold `limit` entries.
    Approximate {
        limit: Option<usize>,
    },
}

/// Why a log cannot be told that it ends elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetIdError {
    BelowGivenMaxDeleted,
    BelowMaxDeleted,
    BelowTop,
    AddedBelowLen,
}

impl Log {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// In how many blocks the entries stand.
    pub fn blocks_len(&self) -> usize {
        self.blocks.len()
    }

    /// The id of the first entry there is, or 0-0.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The greatest id ever given, whether its entry is still there or not.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id ever deleted one by one; what a trim took does not count.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries there have ever been.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    pub fn append<'f>(
        &mut self,
        spec: IdSpec,
        now_ms: u64,
        limits: BlockLimits,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Result<StreamId, IdError> {
        let id = spec.resolve(self.last_id, now_ms)?;
        let payload_len = fields.clone().map(|(name, value)| name.len() + value.len()).sum();

        let mut pushed = false;
        if let Some(mut tail) = self.blocks.last_entry() {
            let block = tail.get_mut();
            let before = block.capacity();
            if block.has_room(payload_len, limits) {
                block.push(id, fields.clone());
                pushed = true;
            } else {
                block.seal();
            }
            self.blocks_bytes = self.blocks_bytes - before + block.capacity();
        }
        if !pushed {
            let block = Block::new(id, fields);
            self.blocks_bytes += block.capacity();
            self.blocks.insert(id, block);
        }

        if self.len == 0 {
            self.first_id = id;
        }
        self.len += 1;
        self.last_id = id;
        self.entries_added += 1;
        Ok(id)
    }

    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let (_, block) = self.blocks.range(..=id).next_back()?;
        block.get(id)
    }

    pub fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    pub fn first(&self) -> Option<Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX).next()
    }

    pub fn last(&self) -> Option<Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX).next_back()
    }

    /// The entries from `start` to `end`, both included; `rev` walks it the other way at no extra cost.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        let from = self.base_at(start).unwrap_or(start);
        let blocks = self.blocks.range(StreamId::interval(from, end));
        Range { start, end, entries: blocks.flat_map(|(_, block)| block.entries()) }
    }

    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((&base, block)) = self.blocks.range_mut(..=id).next_back() else {
            return false;
        };
        let before = block.capacity();
        if !block.delete(id) {
            return false;
        }
        self.blocks_bytes = self.blocks_bytes - before + block.capacity();
        if block.live() == 0 {
            self.blocks_bytes -= block.capacity();
            self.blocks.remove(&base);
        }

        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Removes the oldest entries and says how many.
    pub fn trim(&mut self, trim: Trim, precision: TrimPrecision) -> usize {
        let before = self.len;
        while let Some(first) = self.blocks.first_entry() {
            let block = first.get();
            let live = block.live();
            if let TrimPrecision::Approximate { limit: Some(limit) } = precision
                && before - self.len + live > limit
            {
                break;
            }
            let whole = match trim {
                Trim::MaxLen(len) => self.len - live >= len,
                Trim::MinId(id) => block.entries().next_back().is_some_and(|last| last.id < id),
            };
            if !whole {
                break;
            }
            self.blocks_bytes -= block.capacity();
            self.len -= live;
            first.remove();
        }
        if precision == TrimPrecision::Exact {
            self.trim_first_block(trim);
        }
        if self.len != before {
            self.find_first();
        }
        before - self.len
    }

    /// Declares where the log ends, as a replica or a loaded file must.
    pub fn set_id(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        if max_deleted_id.is_some_and(|deleted| last_id < deleted) {
            return Err(SetIdError::BelowGivenMaxDeleted);
        }
        if last_id < self.max_deleted_id {
            return Err(SetIdError::BelowMaxDeleted);
        }
        if self.last().is_some_and(|top| last_id < top.id) {
            return Err(SetIdError::BelowTop);
        }
        if entries_added.is_some_and(|added| added < self.len as u64) {
            return Err(SetIdError::AddedBelowLen);
        }
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        // 0-0 means that nothing is known, and takes nothing back.
        self.max_deleted_id =
            max_deleted_id.filter(|&id| id != StreamId::MIN).unwrap_or(self.max_deleted_id);
        Ok(())
    }

    /// Whether an entry after `start` (or at it) may have been deleted from among those that are there.
    pub(super) fn may_have_holes_from(&self, start: StreamId) -> bool {
        self.has_holes() && start <= self.max_deleted_id
    }

    /// How many entries had been added when `id` was, where that can still be told.
    pub(super) fn entries_added_at(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        if id > self.last_id || id > self.first_id || self.has_holes() {
            return None;
        }
        let before_first = self.entries_added.saturating_sub(self.len as u64);
        Some(if id == self.first_id { before_first + 1 } else { before_first })
    }

    pub(super) fn memory(&self) -> usize {
        self.blocks_bytes + super::tree_memory::<StreamId, Block>(self.blocks.len())
    }

    fn trim_first_block(&mut self, trim: Trim) {
        let Some(mut first) = self.blocks.first_entry() else { return };
        let block = first.get_mut();
        let before = block.capacity();
        let deleted = match trim {
            Trim::MaxLen(len) => {
                let mut excess = self.len.saturating_sub(len);
                block.delete_while(|_| {
                    let more = excess > 0;
                    excess = excess.saturating_sub(1);
                    more
                })
            }
            Trim::MinId(min) => block.delete_while(|id| id < min),
        };
        self.blocks_bytes = self.blocks_bytes - before + block.capacity();
        self.len -= deleted;
        assert!(block.live() > 0, "a block that goes as a whole is removed before");
    }

    /// Whether a deletion may have been after the first entry; those before leave no gap.
    fn has_holes(&self) -> bool {
        self.len > 0 && self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id
    }

    fn find_first(&mut self) {
        self.first_id = self.first().map_or(StreamId::MIN, |entry| entry.id);
    }

    /// The first id of the block in which `id` stands, if it is anywhere.
    fn base_at(&self, id: StreamId) -> Option<StreamId> {
        self.blocks.range(..=id).next_back().map(|(&base, _)| base)
    }
}

type BlockEntries<'a> = fn((&'a StreamId, &'a Block)) -> Entries<'a>;

/// Neighbouring entries of a log, from either end.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    start: StreamId,
    end: StreamId,
    entries: FlatMap<btree_map::Range<'a, StreamId, Block>, Entries<'a>, BlockEntries<'a>>,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let start = self.start;
        // Only the first block begins before the start, so this skips at most one block's worth, once.
        let entry = self.entries.find(|entry| entry.id >= start)?;
        (entry.id <= self.end).then_some(entry)
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let end = self.end;
        let entry = self.entries.rfind(|entry| entry.id <= end)?;
        (entry.id >= self.start).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: BlockLimits = BlockLimits { entries_max: 3, bytes_max: 0 };

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    fn add(log: &mut Log, ms: u64) {
        let fields = [(&b"name"[..], &b"value"[..])];
        log.append(IdSpec::Explicit(id(ms)), 0, SMALL, fields.into_iter()).expect("ids grow");
    }

    fn log_of(count: u64) -> Log {
        let mut log = Log::default();
        (1..=count).for_each(|ms| add(&mut log, ms));
        log
    }

    fn all(log: &Log) -> Vec<u64> {
        log.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id.ms).collect()
    }

    #[test]
    fn a_range_takes_in_both_ends_and_runs_both_ways() {
        let log = log_of(10);
        let ms = |range: Range| range.map(|entry| entry.id.ms).collect::<Vec<_>>();
        assert_eq!(ms(log.range(id(3), id(7))), [3, 4, 5, 6, 7]);
        assert_eq!(
            log.range(id(3), id(7)).rev().map(|entry| entry.id.ms).collect::<Vec<_>>(),
            [7, 6, 5, 4, 3]
        );
        assert!(ms(log.range(id(7), id(3))).is_empty());
        assert!(ms(log.range(id(11), StreamId::MAX)).is_empty());
        assert!(ms(log.range(StreamId::MIN, StreamId::new(0, 9))).is_empty());
        assert!(ms(Log::default().range(StreamId::MAX, StreamId::MAX)).is_empty());
    }

    #[test]
    fn the_last_id_outlives_its_entry() {
        let mut log = log_of(3);
        assert!(log.delete(id(3)));
        assert!(!log.delete(id(3)));
        assert_eq!((log.last_id(), log.max_deleted_id(), log.entries_added()), (id(3), id(3), 3));
        assert_eq!(log.last().map(|entry| entry.id), Some(id(2)));
        let again = log.append(IdSpec::Explicit(id(3)), 0, SMALL, [].into_iter());
        assert_eq!(again, Err(IdError::NotGreater));
    }

    #[test]
    fn an_emptied_log_has_no_first_entry_and_no_blocks() {
        let mut log = log_of(5);
        (1..=5).for_each(|ms| assert!(log.delete(id(ms))));
        assert_eq!(
            (log.len(), log.blocks_len(), log.first_id(), log.memory()),
            (0, 0, StreamId::MIN, 0)
        );
        assert!(log.first().is_none());
    }

    #[test]
    fn an_exact_trim_leaves_what_was_asked_for() {
        let mut log = log_of(10);
        assert_eq!(log.trim(Trim::MaxLen(4), TrimPrecision::Exact), 6);
        assert_eq!(all(&log), [7, 8, 9, 10]);
        assert_eq!(log.trim(Trim::MinId(id(9)), TrimPrecision::Exact), 2);
        assert_eq!(all(&log), [9, 10]);
        assert_eq!(log.first_id(), id(9));
        assert_eq!(log.max_deleted_id(), StreamId::MIN);
        assert_eq!(log.trim(Trim::MaxLen(0), TrimPrecision::Exact), 2);
        assert_eq!(log.first_id(), StreamId::MIN);
    }

    #[test]
    fn an_approximate_trim_takes_whole_blocks() {
        let mut log = log_of(10);
        let unlimited = TrimPrecision::Approximate { limit: None };
        assert_eq!(log.trim(Trim::MaxLen(5), unlimited), 3);
        assert_eq!(log.trim(Trim::MinId(id(6)), unlimited), 0);
        assert_eq!(log.trim(Trim::MinId(id(7)), unlimited), 3);
        assert_eq!(all(&log), [7, 8, 9, 10]);
    }

    #[test]
    fn a_limited_trim_stops_before_the_block_that_would_exceed_it() {
        let mut log = log_of(10);
        assert_eq!(log.trim(Trim::MaxLen(0), TrimPrecision::Approximate { limit: Some(5) }), 3);
        assert_eq!(log.trim(Trim::MaxLen(0), TrimPrecision::Approximate { limit: Some(2) }), 0);
        assert_eq!(log.trim(Trim::MaxLen(0), TrimPrecision::Approximate { limit: Some(6) }), 6);
    }

    #[test]
    fn the_end_cannot_be_set_before_what_is_there() {
        let mut log = log_of(5);
        assert_eq!(log.set_id(id(3), None, None), Err(SetIdError::BelowTop));
        assert_eq!(log.set_id(id(9), Some(1), None), Err(SetIdError::AddedBelowLen));
        assert_eq!(
            log.set_id(id(9), Some(10), Some(id(10))),
            Err(SetIdError::BelowGivenMaxDeleted)
        );
        assert_eq!(log.set_id(id(9), Some(10), Some(id(8))), Ok(()));
        assert_eq!((log.last_id(), log.entries_added(), log.max_deleted_id()), (id(9), 10, id(8)));
        assert_eq!(log.set_id(id(7), None, None), Err(SetIdError::BelowMaxDeleted));
        assert_eq!(log.set_id(id(9), None, Some(StreamId::MIN)), Ok(()));
        assert_eq!(log.max_deleted_id(), id(8));
    }

    #[test]
    fn what_was_deleted_before_the_first_entry_leaves_no_hole() {
        let mut log = log_of(5);
        log.delete(id(1));
        log.delete(id(2));
        assert!(!log.may_have_holes_from(StreamId::MIN));
        assert_eq!((log.entries_added_at(id(1)), log.entries_added_at(id(3))), (Some(2), Some(3)));
        log.delete(id(4));
        assert!(log.may_have_holes_from(id(3)));
        assert_eq!((log.entries_added_at(id(1)), log.entries_added_at(id(3))), (None, None));
    }

    #[test]
    fn the_number_of_an_entry_is_known_at_the_ends_and_lost_between() {
        let mut log = Log::default();
        assert_eq!(log.entries_added_at(id(5)), Some(0));
        (1..=5).for_each(|ms| add(&mut log, ms));
        assert_eq!(log.entries_added_at(StreamId::MIN), Some(0));
        assert_eq!(log.entries_added_at(id(1)), Some(1));
        assert_eq!(log.entries_added_at(id(3)), None);
        assert_eq!(log.entries_added_at(id(5)), Some(5));
        assert_eq!(log.entries_added_at(id(6)), None);

        log.trim(Trim::MaxLen(3), TrimPrecision::Exact);
        assert_eq!(log.entries_added_at(id(1)), Some(2));
        assert_eq!(log.entries_added_at(id(3)), Some(3));
        log.delete(id(4));
        assert_eq!(log.entries_added_at(id(3)), None);
        assert_eq!(log.entries_added_at(id(5)), Some(5));
    }
}
