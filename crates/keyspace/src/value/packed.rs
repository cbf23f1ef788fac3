//! Byte strings side by side in one allocation, for collections so small that a scan beats a hash.
//!
//! Every item stands between its length and its length reversed, so that it can be walked from both ends. A gap before
//! the first item makes both ends cheap to grow and to shrink.

use std::ops::Range;

use super::length;

#[derive(Clone, Debug, Default)]
pub(crate) struct Packed {
    // Invariant: items fill bytes[start..]; what precedes is the gap.
    bytes: Vec<u8>,
    start: u32,
    len: u32,
}

/// A collection that outgrows this takes its big form, whatever its limits say.
pub(crate) const PACKED_SIZE_MAX: usize = 1 << 30;

/// What a list's node holds unless its limits say otherwise.
pub(crate) const NODE_SIZE: usize = 8 << 10;

/// Where an item begins; holds until the next change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// What an item of this length takes.
pub(crate) fn packed_size(len: usize) -> usize {
    len + 2 * length::size(len)
}

impl Packed {
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the items take, without the gap.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() - self.start()
    }

    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn items(&self) -> Items<'_> {
        Items { places: self.places() }
    }

    pub(crate) fn places(&self) -> Places<'_> {
        Places { rest: &self.bytes[self.start()..], offset: self.start() }
    }

    /// The items from `index` on.
    pub(crate) fn items_from(&self, index: usize) -> Items<'_> {
        self.items_between(index, self.len())
    }

    /// The items before `index`.
    pub(crate) fn items_to(&self, index: usize) -> Items<'_> {
        self.items_between(0, index)
    }

    pub(crate) fn items_between(&self, start: usize, end: usize) -> Items<'_> {
        let (Place(offset), Place(end)) = (self.place(start), self.place(end));
        Items { places: Places { rest: &self.bytes[offset..end], offset } }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        Some(self.nth(index)?.1)
    }

    /// The place of the item at `index`; the one past the last is where a new last item goes.
    pub(crate) fn place(&self, index: usize) -> Place {
        self.nth(index).map_or(Place(self.bytes.len()), |(place, _)| place)
    }

    /// The item at a place, and the place after it.
    pub(crate) fn read(&self, place: Place) -> (&[u8], Place) {
        let (item, size) = first(&self.bytes[place.0..]);
        (item, Place(place.0 + size))
    }

    pub(crate) fn push_back(&mut self, item: &[u8]) {
        self.insert(Place(self.bytes.len()), &[item]);
    }

    pub(crate) fn push_front(&mut self, item: &[u8]) {
        self.insert(Place(self.start()), &[item]);
    }

    /// Items go before the one at `place`.
    pub(crate) fn insert(&mut self, place: Place, items: &[&[u8]]) {
        self.write(place.0..place.0, 0, items);
    }

    pub(crate) fn replace(&mut self, place: Place, item: &[u8]) {
        let (_, next) = self.read(place);
        self.write(place.0..next.0, 1, &[item]);
    }

    /// Removes `count` items from `place` on.
    pub(crate) fn remove(&mut self, place: Place, count: usize) {
        let mut end = place;
        for _ in 0..count {
            end = self.read(end).1;
        }
        self.write(place.0..end.0, count, &[]);
    }

    /// Keeps the items before `place` and returns the others.
    pub(crate) fn split_off(&mut self, place: Place) -> Packed {
        let bytes = self.bytes[place.0..].to_vec();
        let count = Places { rest: &bytes, offset: 0 }.count();
        self.write(place.0..self.bytes.len(), count, &[]);
        Packed { bytes, start: 0, len: to_u32(count) }
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.close_gap();
        self.bytes.shrink_to_fit();
    }

    fn start(&self) -> usize {
        self.start as usize
    }

    /// From the nearer end.
    fn nth(&self, index: usize) -> Option<(Place, &[u8])> {
        if index < self.len() / 2 {
            return self.places().nth(index);
        }
        self.places().nth_back(self.len().checked_sub(index + 1)?)
    }

    fn write(&mut self, region: Range<usize>, removed: usize, items: &[&[u8]]) {
        let size = items.iter().map(|item| packed_size(item.len())).sum();
        let mut at = self.open(region, size);
        for item in items {
            at += length::write(&mut self.bytes[at..], item.len());
            self.bytes[at..at + item.len()].copy_from_slice(item);
            at += item.len();
            at += length::write_reversed(&mut self.bytes[at..], item.len());
        }
        self.len = to_u32(self.len() + items.len() - removed);
        self.give_back();
    }

    /// Makes room for `size` bytes in place of a region, moving whichever side is empty or else the bytes after it.
    fn open(&mut self, region: Range<usize>, size: usize) -> usize {
        if region.start == self.start() && region.end < self.bytes.len() {
            if region.end < size {
                self.widen_gap(region.end, size - region.end);
                self.start = to_u32(self.start() - (size - region.len()));
                return self.start();
            }
            self.start = to_u32(region.end - size);
            return self.start();
        }
        let tail = region.end..self.bytes.len();
        let moved = region.start + size;
        let end = moved + tail.len();
        if end > self.bytes.len() {
            self.reserve(end - self.bytes.len());
            self.bytes.resize(end, 0);
        }
        self.bytes.copy_within(tail, moved);
        self.bytes.truncate(end);
        region.start
    }

    /// Moves what follows `from` back, by at least `least` bytes and by enough that the next times are free.
    fn widen_gap(&mut self, from: usize, least: usize) {
        let tail = from..self.bytes.len();
        let end = self.grown(from + tail.len() + least);
        self.bytes.reserve_exact(end - self.bytes.len());
        self.bytes.resize(end, 0);
        let by = end - tail.end;
        self.bytes.copy_within(tail, from + by);
        self.start += to_u32(by);
    }

    fn reserve(&mut self, more: usize) {
        let size = self.bytes.len() + more;
        if size > self.bytes.capacity() {
            self.bytes.reserve_exact(self.grown(size) - self.bytes.len());
        }
    }

    /// The size to grow to when `size` is needed: by half, so that growth is amortised, but no further than a list's
    /// node usually fills.
    fn grown(&self, size: usize) -> usize {
        let ample = self.bytes.len() + self.bytes.len() / 2;
        if size <= NODE_SIZE { size.max(ample.min(NODE_SIZE)) } else { size.max(ample) }
    }

    fn give_back(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
            self.start = 0;
            return;
        }
        if self.start() > self.size() + 64 {
            self.close_gap();
        }
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 4);
        }
    }

    fn close_gap(&mut self) {
        self.bytes.drain(..self.start as usize);
        self.start = 0;
    }
}

impl<'a> FromIterator<&'a [u8]> for Packed {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(items: I) -> Self {
        let mut packed = Packed::default();
        for item in items {
            packed.push_back(item);
        }
        packed
    }
}

/// The items, from either end.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    places: Places<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        Some(self.places.next()?.1)
    }
}

impl DoubleEndedIterator for Items<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        Some(self.places.next_back()?.1)
    }
}

/// The items with their places, from either end.
#[derive(Clone, Debug)]
pub(crate) struct Places<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Places<'a> {
    type Item = (Place, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (item, size) = first(self.rest);
        let place = Place(self.offset);
        self.rest = &self.rest[size..];
        self.offset += size;
        Some((place, item))
    }
}

impl DoubleEndedIterator for Places<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (len, suffix) = length::read_reversed(self.rest);
        let end = self.rest.len() - suffix;
        let item = &self.rest[end - len..end];
        self.rest = &self.rest[..end - len - suffix];
        Some((Place(self.offset + self.rest.len()), item))
    }
}

/// The first item of some bytes, and what it takes.
#[inline]
fn first(bytes: &[u8]) -> (&[u8], usize) {
    let (len, prefix) = length::read(bytes);
    (&bytes[prefix..prefix + len], len + 2 * prefix)
}

fn to_u32(size: usize) -> u32 {
    u32::try_from(size).expect("a packed collection is bounded far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::value::testing::Random;

    #[test]
    fn items_read_the_same_from_both_ends() {
        let long = vec![b'x'; 20_000];
        let packed: Packed = [b"a".as_slice(), b"", &long, b"z"].into_iter().collect();
        let mut backwards: Vec<_> = packed.items().rev().collect();
        backwards.reverse();
        assert_eq!(packed.items().collect::<Vec<_>>(), backwards);
        assert_eq!(packed.get(2), Some(long.as_slice()));
        assert_eq!(packed.get(4), None);
    }

    #[test]
    fn an_empty_one_holds_no_memory() {
        let mut packed: Packed = [b"a".as_slice()].into_iter().collect();
        packed.remove(packed.place(0), 1);
        assert_eq!(packed.memory(), 0);
    }

    #[test]
    fn any_mix_of_changes_is_that_of_a_deque() {
        let mut random = Random::seeded(1);
        let mut packed = Packed::default();
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        for _ in 0..40_000 {
            let item = vec![b'i'; random.below(300) as usize];
            let at = random.below(model.len() as u64 + 1) as usize;
            let occupied = at < model.len();
            match random.below(8) {
                0 if model.len() < 60 => (packed.push_front(&item), model.push_front(item)).1,
                1 if model.len() < 60 => (packed.push_back(&item), model.push_back(item)).1,
                2 if model.len() < 60 => {
                    packed.insert(packed.place(at), &[&item, b"two"]);
                    model.insert(at, b"two".to_vec());
                    model.insert(at, item);
                }
                3 if occupied => {
                    packed.replace(packed.place(at), &item);
                    model[at] = item;
                }
                4 if occupied => {
                    packed.remove(packed.place(at), 1);
                    model.remove(at);
                }
                5 if !model.is_empty() => {
                    packed.remove(packed.place(0), 1);
                    model.pop_front();
                }
                6 if random.below(50) == 0 => {
                    let rest = packed.split_off(packed.place(at));
                    assert!(rest.items().eq(model.drain(at..).collect::<Vec<_>>().iter()));
                }
                _ => packed.shrink_to_fit(),
            }
            assert_eq!(packed.len(), model.len());
            assert!(packed.items().eq(model.iter()));
            assert!(
                packed.size() == model.iter().map(|item| packed_size(item.len())).sum::<usize>()
            );
        }
    }
}
