//! An extendible hash table of entries: it grows and shrinks by one segment at a time, and its order is that of the hashes.

use crate::entry::{Entry, EntryMut, EntryRef};
use crate::expiry::has_passed;
use crate::key_hash::KeyHash;
use crate::segment::{
    BUCKETS, CAPACITY, Directory, POSITION_BITS, Segment, Slot, bucket_start, home,
};

/// Fuller segments are split: beyond, misses probe far.
const LIVE_MAX: usize = CAPACITY * 7 / 8;

/// A segment with fewer entries has no place for one only because hashes collide, and a split would not part them.
const SPLIT_MIN: usize = CAPACITY / 2;

/// Siblings with fewer entries together are merged. Far from `SPLIT_MIN`, so that no size makes a table do both in turn.
const MERGE_MAX: usize = CAPACITY / 4;

/// Where an entry lies. It holds until an entry is inserted or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    hash: u64,
    slot: Slot,
}

pub(crate) struct Table<H> {
    directory: Directory,
    key_hash: H,
    len: usize,
}

impl<H: KeyHash> Table<H> {
    pub(crate) fn new(key_hash: H) -> Table<H> {
        Table { directory: Directory::new(), key_hash, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Of the structure, without the entries.
    pub(crate) fn memory(&self) -> usize {
        self.directory.memory()
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.key_hash.hash(key)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let (segment, depth) = self.directory.get(hash)?;
        let slot = segment.find(home(hash, depth), hash, key)?;
        Some(Place { hash, slot })
    }

    #[inline]
    pub(crate) fn entry(&self, place: Place) -> EntryRef<'_> {
        let (segment, _) = self.directory.get(place.hash).expect("a place is in a segment");
        segment.entry(place.slot)
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, place: Place) -> EntryMut<'_> {
        self.segment_mut(place.hash).entry_mut(place.slot)
    }

    /// The key must not be in the table.
    pub(crate) fn insert(&mut self, hash: u64, mut entry: Entry) {
        self.len += 1;
        loop {
            let (segment, depth) = self.directory.get_or_create(hash);
            if segment.live() < LIVE_MAX {
                match segment.place(home(hash, depth), hash, entry) {
                    Ok(()) => return,
                    Err(refused) => entry = refused,
                }
            }
            if segment.live() < SPLIT_MIN || !self.split(hash) {
                break;
            }
        }
        let (segment, depth) = self.directory.get_or_create(hash);
        segment.place_or_spill(home(hash, depth), hash, entry);
    }

    /// The new entry must have the key of the old one, which is returned.
    pub(crate) fn replace(&mut self, place: Place, entry: Entry) -> Entry {
        self.segment_mut(place.hash).replace(place.slot, entry)
    }

    pub(crate) fn remove(&mut self, place: Place) -> Entry {
        let entry = self.segment_mut(place.hash).remove(place.slot);
        self.len -= 1;
        self.settle(place.hash);
        entry
    }

    /// `false` if the entry has no place for an expiry.
    pub(crate) fn set_expiry(&mut self, place: Place, ms: i64) -> bool {
        self.segment_mut(place.hash).set_expiry(place.slot, ms)
    }

    /// Another expiry, or none, for an entry that has no place for it.
    pub(crate) fn reshape(&mut self, place: Place, expiry: Option<i64>) {
        self.segment_mut(place.hash).reshape(place.slot, expiry);
    }

    fn segment_mut(&mut self, hash: u64) -> &mut Segment {
        self.directory.get_mut(hash).expect("a place is in a segment").0
    }

    fn split(&mut self, hash: u64) -> bool {
        let Some((low, high, depth)) = self.directory.split(hash) else { return false };
        let mut full = Segment::new();
        std::mem::swap(low, &mut full);
        let key_hash = &self.key_hash;
        let upper = 1 << (64 - depth);
        full.drain(|entry| {
            let hash = key_hash.hash(entry.as_ref().key());
            let half = if hash & upper == 0 { &mut *low } else { &mut *high };
            half.place_or_spill(home(hash, depth), hash, entry);
        });
        true
    }

    /// What follows removals from a segment: it is merged while it is small, or filled afresh when searches suffer.
    fn settle(&mut self, hash: u64) {
        let (segment, depth) = self.directory.get_mut(hash).expect("a place is in a segment");
        if segment.live() < MERGE_MAX {
            while self.merge(hash) {}
        } else if segment.is_stale() {
            refill(&self.key_hash, segment, depth, None);
        }
    }

    fn merge(&mut self, hash: u64) -> bool {
        let Some((segment, other, depth)) = self.directory.merge(hash, MERGE_MAX) else {
            return false;
        };
        refill(&self.key_hash, segment, depth, Some(*other));
        true
    }

    /// Visits what belongs to the bucket at `position`, from there on, and returns where the next bucket begins; `None` after
    /// the last. An entry is at the same position for as long as it is in the table.
    pub(crate) fn visit(&self, position: u64, mut f: impl FnMut(EntryRef<'_>)) -> Option<u64> {
        if position >> POSITION_BITS != 0 {
            return None;
        }
        let hash = position << (64 - POSITION_BITS);
        let (segment, depth) = self.directory.get(hash)?;
        let bucket = home(hash, depth);
        let (start, end) = bounds(position, depth);
        let next =
            if bucket + 1 == BUCKETS { end } else { start + bucket_start(bucket + 1, depth) };

        segment.prefetch_values(bucket + 1);
        segment.for_each_from(bucket, |entry| {
            let at = self.hash(entry.key()) >> (64 - POSITION_BITS);
            if (position..next).contains(&at) {
                f(entry);
            }
        });
        (next >> POSITION_BITS == 0).then_some(next)
    }

    pub(crate) fn for_each(&self, mut f: impl FnMut(EntryRef<'_>)) {
        let mut position = Some(0);
        while let Some(at) = position {
            let Some((segment, next)) = self.segment_at(at) else { return };
            segment.for_each(&mut f);
            position = next;
        }
    }

    /// Removes what has expired in the segment at `position`.
    pub(crate) fn sweep(
        &mut self,
        position: u64,
        now: i64,
        expired: impl FnMut(Entry),
    ) -> Option<Swept> {
        let hash = position << (64 - POSITION_BITS);
        let (segment, depth) = self.directory.get_mut(hash)?;
        let (_, end) = bounds(position, depth);
        let next = (end >> POSITION_BITS == 0).then_some(end);
        if !has_passed(segment.next_expiry(), now) {
            return Some(Swept { looked: 1, next, next_expiry: segment.next_expiry() });
        }
        let live = segment.live();
        let looked = segment.sweep(now, expired);
        let next_expiry = segment.next_expiry();
        let removed = live - segment.live();
        if removed > 0 {
            self.len -= removed;
            self.settle(hash);
        }
        Some(Swept { looked: looked + BUCKETS / SWEEP_BUCKETS_PER_LOOK, next, next_expiry })
    }

    /// Any entry, each about as likely as the others; `random` is asked for as many numbers as it takes.
    pub(crate) fn random(&self, mut random: impl FnMut() -> u64) -> Option<EntryRef<'_>> {
        if self.len == 0 {
            return None;
        }
        // The share of the hashes that a segment has chooses it; its fill decides whether the choice stands.
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let (segment, _) = self.directory.get(random())?;
            let n = (random() % CAPACITY.max(segment.live()) as u64) as usize;
            if n < segment.live() {
                return segment.nth(n);
            }
        }
        // Nearly all segments are nearly empty: the next one that is not has to do.
        let mut position = random() >> (64 - POSITION_BITS);
        loop {
            let (segment, next) = self.segment_at(position)?;
            if segment.live() > 0 {
                return segment.nth((random() % segment.live() as u64) as usize);
            }
            position = next.unwrap_or(0);
        }
    }

    /// Up to `count` entries from where a random hash lies on, around the end: neighbours here have nothing else in common.
    /// At least one, if there is any.
    pub(crate) fn sample(&self, hash: u64, count: usize, f: impl FnMut(EntryRef<'_>)) {
        self.sample_segments(hash, count, |segment, bucket| segment.around(bucket), f);
    }

    /// The same among entries that expire.
    pub(crate) fn sample_expiring(&self, hash: u64, count: usize, f: impl FnMut(EntryRef<'_>)) {
        self.sample_segments(
            hash,
            count,
            |segment, bucket| {
                // Where few keys expire, most segments have none, and each knows that.
                let may_expire = segment.next_expiry() != i64::MAX;
                may_expire.then(|| segment.expiring_around(bucket)).into_iter().flatten()
            },
            f,
        );
    }

    fn sample_segments<'a, Entries: Iterator<Item = EntryRef<'a>>>(
        &'a self,
        hash: u64,
        count: usize,
        entries: impl Fn(&'a Segment, usize) -> Entries,
        mut f: impl FnMut(EntryRef<'a>),
    ) {
        let Some((_, depth)) = self.directory.get(hash) else { return };
        let position = hash >> (64 - POSITION_BITS);
        let (first, _) = bounds(position, depth);
        let (mut at, mut bucket) = (first, home(hash, depth));
        let (mut found, mut segments) = (0, 0);
        while let Some((segment, next)) = self.segment_at(at) {
            for entry in entries(segment, bucket).take(count - found) {
                found += 1;
                f(entry);
            }
            segments += 1;
            at = next.unwrap_or(0);
            bucket = 0;
            // One entry is enough of a sample where more would take a long search.
            if found == count || at == first || found > 0 && segments >= SAMPLED_SEGMENTS_MAX {
                return;
            }
        }
    }

    fn segment_at(&self, position: u64) -> Option<(&Segment, Option<u64>)> {
        let (segment, depth) = self.directory.get(position << (64 - POSITION_BITS))?;
        let (_, end) = bounds(position, depth);
        Some((segment, (end >> POSITION_BITS == 0).then_some(end)))
    }

    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: u64) {
        self.directory.prefetch_bucket(hash);
    }

    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        self.directory.prefetch_entry(hash);
    }
}

const SAMPLED_SEGMENTS_MAX: usize = 16;

/// A line of words costs less to look at than an entry somewhere in memory.
const SWEEP_BUCKETS_PER_LOOK: usize = 8;

pub(crate) struct Swept {
    /// The work done, in entries.
    pub(crate) looked: usize,
    /// Where the next segment begins; `None` after the last.
    pub(crate) next: Option<u64>,
    pub(crate) next_expiry: i64,
}

/// The positions of a segment.
fn bounds(position: u64, depth: u32) -> (u64, u64) {
    let bits = POSITION_BITS - depth;
    let prefix = position >> bits;
    (prefix << bits, (prefix + 1) << bits)
}

/// Places everything in a segment anew, and with it what another one has.
fn refill(key_hash: &impl KeyHash, segment: &mut Segment, depth: u32, other: Option<Segment>) {
    let mut old = Segment::new();
    std::mem::swap(segment, &mut old);
    for mut source in [Some(old), other].into_iter().flatten() {
        source.drain(|entry| {
            let hash = key_hash.hash(entry.as_ref().key());
            segment.place_or_spill(home(hash, depth), hash, entry);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::entry::Content;
    use crate::key_hash::Seeded;
    use crate::value::{StringRef, ValueRef};

    /// Valgrind runs what debug builds.
    const MANY: u64 = if cfg!(debug_assertions) { 40_000 } else { 200_000 };

    impl<F: Fn(&[u8]) -> u64> KeyHash for F {
        fn hash(&self, key: &[u8]) -> u64 {
            self(key)
        }
    }

    struct Xorshift(u64);

    impl Xorshift {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    fn key(n: u64) -> Vec<u8> {
        format!("key:{n}").into_bytes()
    }

    fn number(key: &[u8]) -> u64 {
        let digits = key.strip_prefix(b"key:").expect("all keys here are numbered");
        std::str::from_utf8(digits).expect("digits").parse().expect("digits")
    }

    fn put(table: &mut Table<impl KeyHash>, n: u64, value: i64) {
        let key = key(n);
        let hash = table.hash(&key);
        let entry = Entry::new(&key, Content::Int(value), None, 0);
        match table.find(hash, &key) {
            Some(place) => drop(table.replace(place, entry)),
            None => table.insert(hash, entry),
        }
    }

    fn get(table: &Table<impl KeyHash>, n: u64) -> Option<i64> {
        let key = key(n);
        let place = table.find(table.hash(&key), &key)?;
        let entry = table.entry(place);
        assert_eq!(entry.key(), key);
        match entry.value() {
            ValueRef::String(StringRef::Int(int)) => Some(int),
            _ => panic!("only integers are put"),
        }
    }

    fn remove(table: &mut Table<impl KeyHash>, n: u64) -> bool {
        let key = key(n);
        let Some(place) = table.find(table.hash(&key), &key) else { return false };
        assert_eq!(table.remove(place).as_ref().key(), key);
        true
    }

    fn agree(table: &Table<impl KeyHash>, model: &HashMap<u64, i64>) {
        assert_eq!(table.len(), model.len());
        for (&n, &value) in model {
            assert_eq!(get(table, n), Some(value));
        }
        let mut seen = HashSet::new();
        table.for_each(|entry| assert!(seen.insert(number(entry.key()))));
        assert_eq!(seen.len(), model.len());
    }

    #[test]
    fn a_table_agrees_with_a_map_while_it_grows_and_shrinks_to_nothing() {
        let mut table = Table::new(Seeded::new(3));
        let mut model = HashMap::new();
        let mut random = Xorshift(0x1234_5678_9abc_def1);
        // Of 8 operations, so many are removals.
        for removals in [1, 4, 7] {
            for _ in 0..2 * MANY {
                let n = random.next() % (2 * MANY);
                if random.next() % 8 < removals {
                    assert_eq!(remove(&mut table, n), model.remove(&n).is_some());
                } else {
                    let value = random.next() as i64;
                    put(&mut table, n, value);
                    model.insert(n, value);
                }
                let other = random.next() % (2 * MANY);
                assert_eq!(get(&table, other), model.get(&other).copied());
            }
            agree(&table, &model);
        }
        for n in model.keys().copied().collect::<Vec<_>>() {
            assert!(remove(&mut table, n));
        }
        assert_eq!(table.len(), 0);
        assert_eq!(table.directory.segments(), 1);
        assert!(table.memory() < 10_000);
    }

    #[test]
    fn a_table_is_as_large_as_its_entries_need() {
        let mut table = Table::new(Seeded::new(5));
        assert_eq!(table.memory(), 0);
        for n in 0..MANY {
            put(&mut table, n, 0);
        }
        let per_key = table.memory() as f64 / MANY as f64;
        assert!((8.0..24.0).contains(&per_key), "{per_key}");
    }

    #[test]
    fn colliding_hashes_cost_time_but_lose_nothing() {
        let whole = |_: &[u8]| 0x0123_4567_89ab_cdef;
        let prefix = |key: &[u8]| number(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let position = |key: &[u8]| number(key) & 0x7fff;
        let tag = |key: &[u8]| number(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) << 16;
        let hashes: [fn(&[u8]) -> u64; 4] = [whole, prefix, position, tag];
        for hash in hashes {
            let mut table = Table::new(hash);
            let mut model = HashMap::new();
            for n in 0..1_500 {
                put(&mut table, n, 1);
                put(&mut table, n, 2);
                model.insert(n, 2);
            }
            agree(&table, &model);
            assert!(table.memory() < 1_000_000, "{}", table.memory());
            assert_eq!(get(&table, 3_000), None);
            assert_eq!(scan_all(&mut table, |_, _| ()).len(), 1_500);
            for n in (0..1_500).rev() {
                assert!(remove(&mut table, n));
                assert!(!remove(&mut table, n));
            }
            assert_eq!(table.len(), 0);
        }
    }

    /// How often each key was visited, while `between` does something after each step.
    fn scan_all<H: KeyHash>(
        table: &mut Table<H>,
        mut between: impl FnMut(&mut Table<H>, u64),
    ) -> HashMap<u64, u32> {
        let mut visits = HashMap::new();
        let mut steps = 0;
        let mut position = Some(0);
        while let Some(at) = position {
            position =
                table.visit(at, |entry| *visits.entry(number(entry.key())).or_default() += 1);
            if let Some(next) = position {
                assert!(next > at);
            }
            between(table, steps);
            steps += 1;
        }
        visits
    }

    #[test]
    fn a_scan_visits_what_stays_exactly_once_while_the_table_grows() {
        let mut table = Table::new(Seeded::new(7));
        (0..2_000).for_each(|n| put(&mut table, n, 0));
        let segments = table.directory.segments();
        // Growth in every step would keep ahead of the scan for ever.
        let visits = scan_all(&mut table, |table, step| {
            let added = if step < 200 { 100 } else { 0 };
            (0..added).for_each(|n| put(table, 10_000 + 100 * step + n, 0));
        });
        assert!(table.directory.segments() > 4 * segments);
        (0..2_000).for_each(|n| assert_eq!(visits.get(&n), Some(&1)));
    }

    #[test]
    fn a_scan_visits_what_stays_exactly_once_while_the_table_shrinks() {
        let mut table = Table::new(Seeded::new(7));
        (0..20_000).for_each(|n| put(&mut table, n, 0));
        let segments = table.directory.segments();
        let visits = scan_all(&mut table, |table, step| {
            (0..30).for_each(|n| _ = remove(table, 500 + 30 * step + n));
        });
        assert!(table.directory.segments() < segments / 4);
        (0..500).for_each(|n| assert_eq!(visits.get(&n), Some(&1)));
        assert!(visits.values().all(|&count| count == 1));
    }

    #[test]
    fn a_long_churn_leaves_no_search_probing_far() {
        let mut table = Table::new(Seeded::new(11));
        let mut random = Xorshift(99);
        (0..700).for_each(|n| put(&mut table, n, 0));
        let mut keys: Vec<u64> = (0..700).collect();
        for n in 1_000..50_000 {
            let index = random.next() as usize % keys.len();
            assert!(remove(&mut table, keys[index]));
            keys[index] = n;
            put(&mut table, n, 0);
        }
        let mut position = Some(0);
        while let Some(at) = position {
            let (segment, next) = table.segment_at(at).expect("there are segments");
            assert!(!segment.is_stale());
            position = next;
        }
        keys.iter().for_each(|&n| assert_eq!(get(&table, n), Some(0)));
    }

    #[test]
    fn random_entries_are_spread_over_all_of_them() {
        let mut table = Table::new(Seeded::new(13));
        let mut random = Xorshift(5);
        assert!(table.random(|| random.next()).is_none());
        for keys in [1, 3, 2_000] {
            (0..keys).for_each(|n| put(&mut table, n, 0));
            let mut counts = HashMap::new();
            for _ in 0..20 * keys {
                let entry = table.random(|| random.next()).expect("there are entries");
                *counts.entry(number(entry.key())).or_insert(0) += 1;
            }
            assert!(counts.len() as u64 >= keys * 99 / 100, "{} of {keys}", counts.len());
            assert!(counts.values().all(|&count| count < 70));
        }
    }

    #[test]
    fn a_sweep_removes_what_expired_and_passes_by_what_cannot_have() {
        let mut table = Table::new(Seeded::new(17));
        for n in 0..5_000 {
            let expiry = (n % 2 == 0).then_some(n as i64);
            let hash = table.hash(&key(n));
            table.insert(hash, Entry::new(&key(n), Content::Int(0), expiry, 0));
        }
        let sweep = |table: &mut Table<Seeded>, now| {
            let (mut removed, mut looked, mut position) = (0, 0, Some(0));
            while let Some(at) = position {
                let swept = table.sweep(at, now, |entry| {
                    assert!(entry.as_ref().expiry() < Some(now));
                    removed += 1;
                });
                let swept = swept.expect("there are segments");
                looked += swept.looked;
                position = swept.next;
            }
            (removed, looked)
        };
        assert_eq!(sweep(&mut table, 0), (0, table.directory.segments()));
        assert_eq!(sweep(&mut table, 1_001).0, 501);
        assert_eq!(sweep(&mut table, 1_001), (0, table.directory.segments()));
        assert_eq!(sweep(&mut table, 5_000).0, 1_999);
        assert_eq!(table.len(), 2_500);
        (0..5_000).for_each(|n| assert_eq!(get(&table, n).is_some(), n % 2 == 1));
    }
}
