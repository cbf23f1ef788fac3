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
#[derive(Clone, Copy, Debug)]
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

        segment.prefetch_entries(bucket + 1);
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
