//! Segments, the pieces that a table grows and shrinks by, and the directory that finds them.
//!
//! A hash is read from the top: the directory's bits choose the segment, what follows chooses the home bucket in it, and 15
//! bits from the bottom are the tag that a bucket keeps beside each pointer. So the order of buckets is the order of hashes,
//! and it stays when segments are split or merged.
//!
//! A full bucket flows over into the next ones (at most `PROBE_MAX`, wrapping at the end), and then into the spill.
#![allow(unsafe_code)]

use std::ptr::{NonNull, null_mut};

use crate::entry::{Entry, EntryMut, EntryRef};
use crate::expiry::has_passed;

pub(crate) const BUCKETS: usize = 127;
const SLOTS: usize = 8;
pub(crate) const CAPACITY: usize = BUCKETS * SLOTS;

/// How far an entry may lie from its home bucket.
const PROBE_MAX: usize = 16;

/// A segment has no more prefix bits than fit below the alignment of its address; 8 bits of position stay for the bucket.
pub(crate) const DEPTH_MAX: u32 = 40;

/// The bits of a hash that say where an entry lies: its order in the table, and what a SCAN cursor is made of. 48 of them,
/// so that a cursor is a number that every client counts exactly.
pub(crate) const POSITION_BITS: u32 = 48;

/// One pointer of a bucket: 48 bits of address, 15 bits of tag, and in the last slot the bucket's overflow flag on top.
/// Entries are aligned to 8, so the lowest bit is free to say whether the entry has an expiry.
#[derive(Clone, Copy)]
struct Word(*mut u8);

const ADDRESS: usize = (1 << 48) - 1;
const TAG_SHIFT: u32 = 48;
const TAG: usize = 0x7fff;
const OVERFLOW: usize = 1 << 63;
const EXPIRING: usize = 1;

impl Word {
    const EMPTY: Word = Word(null_mut());

    fn new(tag: usize, entry: Entry) -> Word {
        let expiring = if entry.as_ref().is_expiring() { EXPIRING } else { 0 };
        let pointer = entry.into_raw().as_ptr();
        assert!(pointer.addr() & !ADDRESS == 0, "user space has 48 bits of address");
        Word(pointer.map_addr(|address| address | tag << TAG_SHIFT | expiring))
    }

    #[inline]
    fn entry(self) -> Option<NonNull<u8>> {
        NonNull::new(self.0.map_addr(|address| address & ADDRESS & !EXPIRING))
    }

    #[inline]
    fn tag(self) -> usize {
        self.0.addr() >> TAG_SHIFT & TAG
    }

    #[inline]
    fn is_expiring(self) -> bool {
        self.0.addr() & EXPIRING != 0
    }
}

/// The tag of a hash is never 0, so that an empty word matches none.
#[inline]
fn tag(hash: u64) -> usize {
    (hash as usize & TAG).max(1)
}

/// The bucket where an entry belongs in a segment of this depth.
///
/// What follows the prefix is scaled to 127 buckets: that keeps the order, and leaves one line of 8 KiB for the header.
#[inline]
pub(crate) fn home(hash: u64, depth: u32) -> usize {
    let rest = hash >> (64 - POSITION_BITS) << (64 - POSITION_BITS) << depth >> 32;
    ((rest * BUCKETS as u64) >> 32) as usize
}

/// The first position, counted from the segment's start, whose home is `bucket`.
pub(crate) fn bucket_start(bucket: usize, depth: u32) -> u64 {
    let rest = ((bucket as u64) << 32).div_ceil(BUCKETS as u64);
    let bits = POSITION_BITS - depth;
    if bits >= 32 { rest << (bits - 32) } else { rest.div_ceil(1 << (32 - bits)) }
}

/// A cache line.
#[repr(C, align(64))]
struct Bucket([Word; SLOTS]);

impl Bucket {
    /// A bit for each slot whose tag matches.
    #[inline]
    fn matches(&self, tag: usize) -> u32 {
        let mut mask = 0;
        for (slot, word) in self.0.iter().enumerate() {
            mask |= u32::from(word.tag() == tag) << slot;
        }
        mask
    }

    fn free_slot(&self) -> Option<usize> {
        self.0.iter().position(|word| word.entry().is_none())
    }

    #[inline]
    fn has_overflowed(&self) -> bool {
        self.0[SLOTS - 1].0.addr() & OVERFLOW != 0
    }

    fn set_overflowed(&mut self) {
        let last = &mut self.0[SLOTS - 1];
        last.0 = last.0.map_addr(|address| address | OVERFLOW);
    }

    /// Puts a word in a slot and hands out the old one; the flag belongs to the bucket and stays.
    fn exchange(&mut self, slot: usize, word: Word) -> Word {
        let old = self.0[slot];
        self.0[slot] = Word(word.0.map_addr(|address| address | old.0.addr() & OVERFLOW));
        old
    }

    fn prefetch_entries(&self) {
        for word in self.0 {
            prefetch(word.0.map_addr(|address| address & ADDRESS));
        }
    }

    /// Short values with them: two lines of each entry.
    fn prefetch_values(&self) {
        for word in self.0 {
            let entry = word.0.map_addr(|address| address & ADDRESS);
            prefetch(entry);
            prefetch(entry.wrapping_add(64));
        }
    }
}

/// Where an entry lies in a segment. It holds until the segment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    bucket: u32,
    /// In the bucket, or in the spill if `bucket` is `SPILL`.
    index: u32,
}

const SPILL: u32 = u32::MAX;

#[repr(C, align(64))]
struct SegmentHeader {
    live: u32,
    overflowed: u32,
    /// Removals since the segment was last filled afresh.
    removals: u32,
    /// Nothing in the segment expires before.
    next_expiry: i64,
    /// What found no place within reach of its home: hashes that collide.
    spill: Vec<(u64, Entry)>,
}

/// Invariant: each word that is not empty owns its entry.
#[repr(C)]
pub(crate) struct Segment {
    header: SegmentHeader,
    buckets: [Bucket; BUCKETS],
}

const _: () = assert!(size_of::<Segment>() == 8192);

// SAFETY: a segment owns its entries, and these may change threads.
unsafe impl Send for Segment {}

impl Segment {
    pub(crate) fn new() -> Segment {
        Segment {
            header: SegmentHeader {
                live: 0,
                overflowed: 0,
                removals: 0,
                next_expiry: i64::MAX,
                spill: Vec::new(),
            },
            buckets: [const { Bucket([Word::EMPTY; SLOTS]) }; BUCKETS],
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.header.live as usize
    }

    pub(crate) fn next_expiry(&self) -> i64 {
        self.header.next_expiry
    }

    #[inline]
    pub(crate) fn find(&self, home: usize, hash: u64, key: &[u8]) -> Option<Slot> {
        let tag = tag(hash);
        let mut at = home;
        for _ in 0..PROBE_MAX {
            let bucket = &self.buckets[at];
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let index = matches.trailing_zeros();
                if entry_ref(bucket.0[index as usize]).is_some_and(|entry| entry.key() == key) {
                    return Some(Slot { bucket: at as u32, index });
                }
                matches &= matches - 1;
            }
            if !bucket.has_overflowed() {
                return None;
            }
            at = following(at);
        }
        self.find_in_spill(hash, key)
    }

    #[cold]
    fn find_in_spill(&self, hash: u64, key: &[u8]) -> Option<Slot> {
        let is_it = |(other, entry): &(u64, Entry)| *other == hash && entry.as_ref().key() == key;
        let index = self.header.spill.iter().position(is_it)?;
        Some(Slot { bucket: SPILL, index: index as u32 })
    }

    #[inline]
    pub(crate) fn entry(&self, slot: Slot) -> EntryRef<'_> {
        if slot.bucket == SPILL {
            return self.header.spill[slot.index as usize].1.as_ref();
        }
        entry_ref(self.buckets[slot.bucket as usize].0[slot.index as usize])
            .expect("a slot holds until its segment changes")
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, slot: Slot) -> EntryMut<'_> {
        let pointer = if slot.bucket == SPILL {
            self.header.spill[slot.index as usize].1.as_ptr()
        } else {
            self.buckets[slot.bucket as usize].0[slot.index as usize]
                .entry()
                .expect("a slot holds until its segment changes")
        };
        // SAFETY: the segment owns the entry and is borrowed mutably for as long.
        unsafe { EntryMut::from_raw(pointer) }
    }

    /// Places an entry within reach of its home, or gives it back.
    pub(crate) fn place(&mut self, home: usize, hash: u64, entry: Entry) -> Result<(), Entry> {
        let mut at = home;
        for _ in 0..PROBE_MAX {
            if let Some(slot) = self.buckets[at].free_slot() {
                self.note_expiry(&entry);
                self.buckets[at].exchange(slot, Word::new(tag(hash), entry));
                self.header.live += 1;
                return Ok(());
            }
            if !self.buckets[at].has_overflowed() {
                self.buckets[at].set_overflowed();
                self.header.overflowed += 1;
            }
            at = following(at);
        }
        Err(entry)
    }

    pub(crate) fn place_or_spill(&mut self, home: usize, hash: u64, entry: Entry) {
        // After a place that failed, every bucket within reach has its flag: a search will get to the spill.
        if let Err(entry) = self.place(home, hash, entry) {
            self.note_expiry(&entry);
            self.header.spill.push((hash, entry));
            self.header.live += 1;
        }
    }

    pub(crate) fn replace(&mut self, slot: Slot, entry: Entry) -> Entry {
        self.note_expiry(&entry);
        if slot.bucket == SPILL {
            return std::mem::replace(&mut self.header.spill[slot.index as usize].1, entry);
        }
        let (bucket, index) = (slot.bucket as usize, slot.index as usize);
        let tag = self.buckets[bucket].0[index].tag();
        let old = self.buckets[bucket].exchange(index, Word::new(tag, entry));
        owned(old).expect("a slot holds until its segment changes")
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Entry {
        self.header.live -= 1;
        self.header.removals += 1;
        if slot.bucket == SPILL {
            return self.header.spill.swap_remove(slot.index as usize).1;
        }
        let old = self.buckets[slot.bucket as usize].exchange(slot.index as usize, Word::EMPTY);
        owned(old).expect("a slot holds until its segment changes")
    }

    pub(crate) fn set_expiry(&mut self, slot: Slot, ms: i64) -> bool {
        self.header.next_expiry = self.header.next_expiry.min(ms);
        self.entry_mut(slot).set_expiry(ms)
    }

    /// Gives an entry another expiry, or none, whatever that does to its allocation.
    pub(crate) fn reshape(&mut self, slot: Slot, expiry: Option<i64>) {
        if let Some(ms) = expiry {
            self.header.next_expiry = self.header.next_expiry.min(ms);
        }
        if slot.bucket == SPILL {
            let (index, spill) = (slot.index as usize, &mut self.header.spill);
            let (hash, entry) = spill.swap_remove(index);
            spill.push((hash, entry.reshaped(None, expiry)));
            let last = spill.len() - 1;
            spill.swap(index, last);
            return;
        }
        let bucket = &mut self.buckets[slot.bucket as usize];
        let old = bucket.exchange(slot.index as usize, Word::EMPTY);
        let entry = owned(old).expect("a slot holds until its segment changes");
        bucket.exchange(slot.index as usize, Word::new(old.tag(), entry.reshaped(None, expiry)));
    }

    fn note_expiry(&mut self, entry: &Entry) {
        if let Some(ms) = entry.as_ref().expiry() {
            self.header.next_expiry = self.header.next_expiry.min(ms);
        }
    }

    /// Removals leave flags behind that send searches further than needed. True when that is worth filling the segment
    /// afresh: more flags than this many entries would set, and enough removals to pay for it.
    pub(crate) fn is_stale(&self) -> bool {
        const REMOVALS: u32 = CAPACITY as u32 / 8;
        const FLAGS_MAX: u32 = BUCKETS as u32 * 6 / 10;
        let flags = (self.header.live / 8 + 8).min(FLAGS_MAX);
        self.header.removals >= REMOVALS && self.header.overflowed > flags
    }

    /// Every entry that a search from `home` can come across, which includes all whose home it is.
    pub(crate) fn for_each_from(&self, home: usize, mut f: impl FnMut(EntryRef<'_>)) {
        let mut at = home;
        for _ in 0..PROBE_MAX {
            let bucket = &self.buckets[at];
            bucket.0.into_iter().filter_map(entry_ref).for_each(&mut f);
            if !bucket.has_overflowed() {
                return;
            }
            at = following(at);
        }
        self.header.spill.iter().for_each(|(_, entry)| f(entry.as_ref()));
    }

    pub(crate) fn for_each(&self, mut f: impl FnMut(EntryRef<'_>)) {
        self.prefetch_entries(0);
        for (at, bucket) in self.buckets.iter().enumerate() {
            self.prefetch_entries(at + 1);
            bucket.0.into_iter().filter_map(entry_ref).for_each(&mut f);
        }
        self.header.spill.iter().for_each(|(_, entry)| f(entry.as_ref()));
    }

    /// The `n`th live entry in some order.
    pub(crate) fn nth(&self, n: usize) -> Option<EntryRef<'_>> {
        self.around(0).nth(n)
    }

    /// All entries, those of `bucket` first and then once around.
    pub(crate) fn around(&self, bucket: usize) -> impl Iterator<Item = EntryRef<'_>> {
        self.words_around(bucket).filter_map(entry_ref).chain(self.spilled())
    }

    /// The same without those that do not expire, which are not looked at.
    pub(crate) fn expiring_around(&self, bucket: usize) -> impl Iterator<Item = EntryRef<'_>> {
        let words = self.words_around(bucket).filter(|word| word.is_expiring());
        words.filter_map(entry_ref).chain(self.spilled().filter(|entry| entry.is_expiring()))
    }

    fn words_around(&self, bucket: usize) -> impl Iterator<Item = Word> {
        let (before, after) = self.buckets.split_at(bucket);
        after.iter().chain(before).flat_map(|bucket| bucket.0)
    }

    fn spilled(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.header.spill.iter().map(|(_, entry)| entry.as_ref())
    }

    /// Removes what has expired by `now` and learns anew when the next entry will. Returns how many entries it looked at.
    pub(crate) fn sweep(&mut self, now: i64, mut expired: impl FnMut(Entry)) -> usize {
        let mut next_expiry = i64::MAX;
        let mut looked = 0;
        let mut is_expired = |ms: i64| {
            looked += 1;
            if !has_passed(ms, now) {
                next_expiry = next_expiry.min(ms);
            }
            has_passed(ms, now)
        };
        let mut removed = 0;
        for at in 0..BUCKETS {
            if let Some(next) = self.buckets.get(at + 1) {
                next.0.iter().filter(|word| word.is_expiring()).for_each(|word| {
                    prefetch(word.0.map_addr(|address| address & ADDRESS));
                });
            }
            for slot in 0..SLOTS {
                let word = self.buckets[at].0[slot];
                if word.is_expiring()
                    && entry_ref(word).and_then(EntryRef::expiry).is_some_and(&mut is_expired)
                {
                    removed += 1;
                    owned(self.buckets[at].exchange(slot, Word::EMPTY))
                        .into_iter()
                        .for_each(&mut expired);
                }
            }
        }
        let is_spilled_expired =
            |(_, entry): &mut (u64, Entry)| entry.as_ref().expiry().is_some_and(&mut is_expired);
        for (_, entry) in self.header.spill.extract_if(.., is_spilled_expired) {
            removed += 1;
            expired(entry);
        }
        self.header.live -= removed;
        self.header.removals += removed;
        self.header.next_expiry = next_expiry;
        looked
    }

    /// Takes all entries out.
    pub(crate) fn drain(&mut self, mut f: impl FnMut(Entry)) {
        let mut full = std::mem::replace(self, Segment::new());
        full.prefetch_entries(0);
        for at in 0..BUCKETS {
            full.prefetch_entries(at + 1);
            for slot in 0..SLOTS {
                owned(full.buckets[at].exchange(slot, Word::EMPTY)).into_iter().for_each(&mut f);
            }
        }
        full.header.live = 0;
        full.header.spill.drain(..).for_each(|(_, entry)| f(entry));
    }

    pub(crate) fn prefetch_entries(&self, bucket: usize) {
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.prefetch_entries();
        }
    }

    pub(crate) fn prefetch_values(&self, bucket: usize) {
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.prefetch_values();
        }
    }

    /// Two lines of each entry that a search would look at first.
    #[inline]
    fn prefetch_matches(&self, home: usize, hash: u64) {
        let bucket = &self.buckets[home];
        let mut matches = bucket.matches(tag(hash));
        while matches != 0 {
            let word = bucket.0[matches.trailing_zeros() as usize];
            let entry = word.0.map_addr(|address| address & ADDRESS);
            prefetch(entry);
            prefetch(entry.wrapping_add(64));
            matches &= matches - 1;
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.header.live == 0 {
            return;
        }
        for at in 0..BUCKETS {
            self.prefetch_entries(at + 1);
            for slot in 0..SLOTS {
                drop(owned(self.buckets[at].exchange(slot, Word::EMPTY)));
            }
        }
    }
}

#[inline]
fn following(bucket: usize) -> usize {
    if bucket + 1 == BUCKETS { 0 } else { bucket + 1 }
}

/// Private to the segment: its words are the only ones that exist.
#[inline]
fn entry_ref<'a>(word: Word) -> Option<EntryRef<'a>> {
    // SAFETY: a word that is not empty owns a live entry. Callers bind `'a` to a borrow of the segment that holds the word.
    word.entry().map(|pointer| unsafe { EntryRef::from_raw(pointer) })
}

/// The entry of a word that was taken out of its bucket.
fn owned(word: Word) -> Option<Entry> {
    // SAFETY: callers pass what `exchange` handed out: the bucket no longer has it, so it is owned once.
    word.entry().map(|pointer| unsafe { Entry::from_raw(pointer) })
}

/// A hint: any address will do.
#[inline]
fn prefetch(pointer: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fault.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(pointer.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = pointer;
}

/// A segment's address, with its depth in the bits that alignment leaves free: so the bucket's address is known before the
/// segment is touched.
#[derive(Clone, Copy)]
struct Handle(*mut Segment);

const DEPTH: usize = 63;
const _: () = assert!(align_of::<Segment>() == DEPTH + 1 && DEPTH_MAX as usize <= DEPTH);

impl Handle {
    fn new(segment: Box<Segment>, depth: u32) -> Handle {
        Handle(Box::into_raw(segment)).with_depth(depth)
    }

    fn with_depth(self, depth: u32) -> Handle {
        Handle(self.0.map_addr(|address| address & !DEPTH | depth as usize))
    }

    #[inline]
    fn depth(self) -> u32 {
        (self.0.addr() & DEPTH) as u32
    }

    #[inline]
    fn pointer(self) -> *mut Segment {
        self.0.map_addr(|address| address & !DEPTH)
    }
}

/// The segments by the top bits of a hash.
///
/// Invariant: there are none, or 2^depth handles; a segment of depth d is owned by the 2^(depth - d) handles, aligned to
/// that number, whose index begins with its prefix, and by no others. All of these handles are equal.
pub(crate) struct Directory {
    handles: Vec<Handle>,
    depth: u32,
    segments: usize,
    /// How many segments have the directory's own depth: without any it can be halved.
    deepest: usize,
}

// SAFETY: the directory owns its segments, and these may change threads.
unsafe impl Send for Directory {}

/// Colliding hashes must not buy a directory that grows with every one of them.
const HANDLES_PER_SEGMENT_MAX: usize = 16;

impl Directory {
    pub(crate) fn new() -> Directory {
        Directory { handles: Vec::new(), depth: 0, segments: 0, deepest: 0 }
    }

    #[cfg(test)]
    pub(crate) fn segments(&self) -> usize {
        self.segments
    }

    pub(crate) fn memory(&self) -> usize {
        self.handles.capacity() * size_of::<Handle>() + self.segments * size_of::<Segment>()
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        // In two steps, because a shift by 64 is none.
        (hash >> 1 >> (63 - self.depth)) as usize
    }

    /// The segment for a hash and its depth, if there is any segment at all.
    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Option<(&Segment, u32)> {
        let handle = *self.handles.get(self.index(hash))?;
        // SAFETY: by the invariant the segment is live and ours; it is lent as we are.
        Some((unsafe { &*handle.pointer() }, handle.depth()))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, hash: u64) -> Option<(&mut Segment, u32)> {
        let handle = *self.handles.get(self.index(hash))?;
        // SAFETY: as above; we are lent mutably, so nobody else has a segment.
        Some((unsafe { &mut *handle.pointer() }, handle.depth()))
    }

    pub(crate) fn get_or_create(&mut self, hash: u64) -> (&mut Segment, u32) {
        if self.handles.is_empty() {
            self.handles.push(Handle::new(Box::new(Segment::new()), 0));
            (self.segments, self.deepest) = (1, 1);
        }
        self.get_mut(hash).expect("there is a segment for every hash once there is one")
    }

    /// The indices of the segment at `index`.
    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let len = 1 << (self.depth - self.handles[index].depth());
        let start = index & !(len - 1);
        start..start + len
    }

    /// Gives the upper half of a segment's hashes to a new segment. Both are handed out to be filled, with their depth.
    pub(crate) fn split(&mut self, hash: u64) -> Option<(&mut Segment, &mut Segment, u32)> {
        let depth = self.handles[self.index(hash)].depth() + 1;
        if depth > DEPTH_MAX {
            return None;
        }
        if depth > self.depth {
            if self.handles.len() * 2 > HANDLES_PER_SEGMENT_MAX * (self.segments + 1) {
                return None;
            }
            self.handles = self.handles.iter().flat_map(|&handle| [handle, handle]).collect();
            self.depth += 1;
            self.deepest = 0;
        }
        let range = self.range(self.index(hash));
        let middle = range.start + range.len() / 2;
        let low = self.handles[range.start].with_depth(depth);
        let high = Handle::new(Box::new(Segment::new()), depth);
        self.handles[range.start..middle].fill(low);
        self.handles[middle..range.end].fill(high);
        self.segments += 1;
        if depth == self.depth {
            self.deepest += 2;
        }
        // SAFETY: both are live, distinct, and ours.
        Some(unsafe { (&mut *low.pointer(), &mut *high.pointer(), depth) })
    }

    /// Joins a segment with the one it was split from, if together they have fewer than `live_max` entries. The first is to
    /// take what the second has, at the depth returned.
    pub(crate) fn merge(
        &mut self,
        hash: u64,
        live_max: usize,
    ) -> Option<(&mut Segment, Box<Segment>, u32)> {
        let range = self.range(self.index(hash));
        let handle = self.handles[range.start];
        let depth = handle.depth().checked_sub(1)?;
        let other_start = range.start ^ range.len();
        let other = self.handles[other_start];
        // SAFETY: both are live, ours, and only looked at.
        let live = unsafe { (*handle.pointer()).live() + (*other.pointer()).live() };
        if other.depth() != handle.depth() || live >= live_max {
            return None;
        }

        let start = range.start.min(other_start);
        self.handles[start..start + 2 * range.len()].fill(handle.with_depth(depth));
        self.segments -= 1;
        if handle.depth() == self.depth {
            self.deepest -= 2;
        }
        while self.deepest == 0 {
            self.halve();
        }
        // SAFETY: no handle is left to `other`, which came from a box; `handle` is live and ours.
        Some(unsafe { (&mut *handle.pointer(), Box::from_raw(other.pointer()), depth) })
    }

    /// No segment needs the last bit.
    fn halve(&mut self) {
        self.handles = self.handles.iter().copied().step_by(2).collect();
        self.depth -= 1;
        self.deepest = self.handles.iter().filter(|handle| handle.depth() == self.depth).count();
    }

    /// The address of the home bucket is computed, nothing is read but the directory.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: u64) {
        if let Some(handle) = self.handles.get(self.index(hash)) {
            let bucket =
                size_of::<SegmentHeader>() + home(hash, handle.depth()) * size_of::<Bucket>();
            prefetch(handle.pointer().cast::<u8>().wrapping_add(bucket));
        }
    }

    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        if let Some((segment, depth)) = self.get(hash) {
            segment.prefetch_matches(home(hash, depth), hash);
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let mut index = 0;
        while index < self.handles.len() {
            // SAFETY: `index` steps from segment to segment, so each is taken once, and it came from a box.
            drop(unsafe { Box::from_raw(self.handles[index].pointer()) });
            index = self.range(index).end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Content;

    fn entry(key: &[u8]) -> Entry {
        Entry::new(key, Content::Bytes(b"value"), None, 0)
    }

    #[test]
    fn a_bucket_begins_where_its_first_position_has_its_home() {
        for depth in 0..=DEPTH_MAX {
            for bucket in 1..BUCKETS {
                let start = bucket_start(bucket, depth);
                let hash = |position: u64| (position << depth) << (64 - POSITION_BITS) >> depth;
                assert_eq!(home(hash(start), depth), bucket, "depth {depth}");
                assert_eq!(home(hash(start - 1), depth), bucket - 1, "depth {depth}");
            }
        }
    }

    #[test]
    fn a_full_bucket_flows_over_the_end_and_then_into_the_spill() {
        let mut segment = Segment::new();
        let keys: Vec<_> = (0..200u32).map(u32::to_be_bytes).collect();
        let home = BUCKETS - 2;
        for key in &keys {
            segment.place_or_spill(home, 7, entry(key));
        }
        assert_eq!(segment.live(), keys.len());
        assert_eq!(segment.header.spill.len(), keys.len() - PROBE_MAX * SLOTS);
        for key in &keys {
            let slot = segment.find(home, 7, key).expect("every key is found");
            assert_eq!(segment.entry(slot).key(), key);
        }
        assert_eq!(segment.find(home, 7, b"another"), None);

        for (n, key) in keys.iter().enumerate() {
            let slot = segment.find(home, 7, key).expect("every key is found");
            if n % 2 == 0 {
                segment.reshape(slot, Some(5));
            } else {
                drop(segment.remove(slot));
            }
        }
        assert_eq!(segment.live(), keys.len() / 2);
        let mut swept = 0;
        assert_eq!(segment.sweep(6, |_| swept += 1), keys.len() / 2);
        assert_eq!((swept, segment.live(), segment.next_expiry()), (keys.len() / 2, 0, i64::MAX));
    }

    #[test]
    fn the_overflow_flag_outlives_the_entry_that_shares_its_word() {
        let mut segment = Segment::new();
        for key in 0..9u8 {
            segment.place(3, 1, entry(&[key])).map_err(|_| ()).expect("there is room");
        }
        for key in 0..8u8 {
            let slot = segment.find(3, 1, &[key]).expect("every key is found");
            drop(segment.replace(slot, entry(&[key])));
            drop(segment.remove(slot));
        }
        assert!(segment.find(3, 1, &[8]).is_some());
    }

    #[test]
    fn the_directory_grows_only_with_its_segments() {
        let mut directory = Directory::new();
        directory.get_or_create(0);
        while directory.split(0).is_some() {}
        assert!(directory.handles.len() <= HANDLES_PER_SEGMENT_MAX * directory.segments);
        assert!(directory.depth < 10);
        while directory.merge(0, 1).is_some() {}
        assert_eq!((directory.segments, directory.handles.len()), (1, 1));
    }
}
