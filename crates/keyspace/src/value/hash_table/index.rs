use hashbrown::HashTable;

/// What segments hold on average. The fullest hold twice as many: just below what 512 slots take.
const SEGMENT_LEN: usize = 208;

/// Bits of a hash that choose the slot in a segment; those above choose the segment.
const SLOT_BITS: u32 = 10;

/// Positions by hash. Linear hashing: one segment at a time splits or merges, so that no insert ever moves all slots.
#[derive(Clone, Debug)]
pub(super) struct Index {
    // Invariant: never empty.
    segments: Vec<HashTable<Slot>>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    position: u32,
}

impl Default for Index {
    fn default() -> Self {
        Index { segments: vec![HashTable::new()], len: 0 }
    }
}

impl Index {
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
        let found = self.segments[self.segment(hash)]
            .find(spread(hash), |slot| slot.hash == hash && is_it(slot.position as usize))?;
        Some(found.position as usize)
    }

    pub(super) fn insert(&mut self, hash: u32, position: usize) {
        if self.len >= self.segments.len() * SEGMENT_LEN {
            self.split();
        }
        let segment = self.segment(hash);
        let slot = Slot { hash, position: to_u32(position) };
        self.segments[segment].insert_unique(spread(hash), slot, |slot| spread(slot.hash));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, hash: u32, position: usize) {
        let segment = self.segment(hash);
        self.segments[segment]
            .find_entry(spread(hash), |slot| slot.position as usize == position)
            .unwrap_or_else(|_| panic!("every position is in the index"))
            .remove();
        self.len -= 1;
        if self.segments.len() > 1 && self.len < self.segments.len() * SEGMENT_LEN / 4 {
            self.merge();
        }
    }

    pub(super) fn relocate(&mut self, hash: u32, from: usize, to: usize) {
        let segment = self.segment(hash);
        self.segments[segment]
            .find_mut(spread(hash), |slot| slot.position as usize == from)
            .expect("every position is in the index")
            .position = to_u32(to);
    }

    pub(super) fn memory(&self) -> usize {
        // A few segments from all over stand for the others.
        let every = self.segments.len().div_ceil(8);
        let sample = self.segments.iter().step_by(every);
        let slots = sample.clone().map(HashTable::allocation_size).sum::<usize>() / sample.len();
        slots * self.segments.len() + self.segments.capacity() * size_of::<HashTable<Slot>>()
    }

    pub(super) fn allocations(&self) -> usize {
        self.segments.len() + 1
    }

    fn segment(&self, hash: u32) -> usize {
        let mask = self.segments.len().next_power_of_two() - 1;
        let segment = (hash >> SLOT_BITS) as usize & mask;
        if segment < self.segments.len() { segment } else { segment & (mask >> 1) }
    }

    /// Moves what belongs to the next segment out of the one that held it so far.
    fn split(&mut self) {
        let new = self.segments.len();
        let old = buddy(new);
        let slots = std::mem::take(&mut self.segments[old]);
        self.segments.push(HashTable::new());
        for segment in [old, new] {
            self.segments[segment].reserve(slots.len() / 2, |slot| spread(slot.hash));
        }
        self.place(slots);
    }

    fn merge(&mut self) {
        let last = self.segments.pop().expect("never empty");
        let heir = buddy(self.segments.len());
        self.segments[heir].reserve(last.len(), |slot| spread(slot.hash));
        self.place(last);
        if self.segments.capacity() > 4 * self.segments.len() {
            self.segments.shrink_to(2 * self.segments.len());
        }
    }

    fn place(&mut self, slots: HashTable<Slot>) {
        for slot in slots {
            let segment = self.segment(slot.hash);
            self.segments[segment].insert_unique(spread(slot.hash), slot, |slot| spread(slot.hash));
        }
    }
}

/// The segment that a new last one splits from.
fn buddy(segment: usize) -> usize {
    segment - (segment + 1).next_power_of_two() / 2
}

/// The table takes slots from the low bits and tags from the high ones, so both must differ within a segment.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn to_u32(position: usize) -> u32 {
    u32::try_from(position).expect("a collection has fewer than 2^32 items")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_segment_takes_from_the_one_half_a_table_before_it() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 8].map(buddy), [0, 0, 1, 0, 1, 2, 3, 0]);
    }

    #[test]
    fn equal_hashes_are_told_apart_by_position() {
        let mut index = Index::default();
        (0..1_000).for_each(|position| index.insert(7, position));
        index.relocate(7, 999, 1_000);
        index.remove(7, 500);
        assert_eq!(index.find(7, |position| position == 1_000), Some(1_000));
        assert_eq!(index.find(7, |position| position == 500), None);
    }
}
