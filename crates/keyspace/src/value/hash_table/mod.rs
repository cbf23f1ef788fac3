//! Items found by a byte string: the big form of hashes and sets, and the dictionary of sorted sets.
//!
//! Items lie densely at positions 0..len, and an index maps hashes to positions. A removed item's position is taken by
//! the last one. So a random item is one draw, and a scan from the last position down keeps SCAN's promise: an item
//! only ever moves to a lower position, from one not yet scanned to another such, or from one already scanned.

mod chunks;
mod index;

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use self::chunks::Chunks;
use self::index::Index;

pub(crate) trait Keyed {
    fn key(&self) -> &[u8];

    /// Bytes it owns beyond itself.
    fn owned(&self) -> usize;
}

/// An estimate of what an allocation of this size takes: allocators round up.
pub(crate) fn allocated(size: usize) -> usize {
    size.next_multiple_of(16)
}

impl Keyed for Box<[u8]> {
    fn key(&self) -> &[u8] {
        self
    }

    fn owned(&self) -> usize {
        allocated(self.len())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct HashTable<Item> {
    items: Chunks<Item>,
    index: Index,
    // Every table has its own seed, so that nobody can choose keys that collide.
    seed: RandomState,
    owned: usize,
}

/// What a lookup found: an item, or where a new one belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    Occupied(usize),
    Vacant(Vacancy),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacancy {
    hash: u32,
}

impl<Item> Default for HashTable<Item> {
    fn default() -> Self {
        HashTable {
            items: Chunks::default(),
            index: Index::default(),
            seed: RandomState::default(),
            owned: 0,
        }
    }
}

impl<Item: Keyed> HashTable<Item> {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn lookup(&self, key: &[u8]) -> Lookup {
        let hash = self.hash(key);
        match self.index.find(hash, |position| self.items[position].key() == key) {
            Some(position) => Lookup::Occupied(position),
            None => Lookup::Vacant(Vacancy { hash }),
        }
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        match self.lookup(key) {
            Lookup::Occupied(position) => Some(position),
            Lookup::Vacant(_) => None,
        }
    }

    #[inline]
    pub(crate) fn at(&self, position: usize) -> &Item {
        &self.items[position]
    }

    /// Adds an item whose key the lookup missed, and returns its position.
    pub(crate) fn insert(&mut self, vacancy: Vacancy, item: Item) -> usize {
        let position = self.items.len();
        self.owned += item.owned();
        self.items.push(item);
        self.index.insert(vacancy.hash, position);
        position
    }

    /// Changes an item; its key must stay.
    pub(crate) fn update(&mut self, position: usize, change: impl FnOnce(&mut Item)) {
        let item = &mut self.items[position];
        let before = item.owned();
        change(item);
        self.owned = self.owned - before + item.owned();
    }

    /// The item that was last has this position afterwards.
    pub(crate) fn remove(&mut self, position: usize) -> Item {
        let last = self.items.len() - 1;
        self.index.remove(self.hash(self.items[position].key()), position);
        if position != last {
            self.index.relocate(self.hash(self.items[last].key()), last, position);
        }
        let item = self.items.swap_remove(position);
        self.owned -= item.owned();
        item
    }

    /// Visits `count` items from a cursor and returns the next one; 0 begins and ends.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&Item)) -> u64 {
        let len = self.len();
        let end = match usize::try_from(cursor) {
            Ok(0) | Err(_) => len,
            Ok(cursor) => cursor.min(len),
        };
        let start = end.saturating_sub(count.max(1));
        for position in (start..end).rev() {
            visit(&self.items[position]);
        }
        start as u64
    }

    pub(crate) fn memory(&self) -> usize {
        self.items.memory() + self.index.memory() + self.owned
    }

    /// Allocations, each item being one.
    pub(crate) fn work(&self) -> usize {
        self.len() + self.items.allocations() + self.index.allocations()
    }

    fn hash(&self, key: &[u8]) -> u32 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(key);
        (hasher.finish() >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::value::testing::Random;

    fn add(table: &mut HashTable<Box<[u8]>>, key: u64) -> bool {
        let key = key.to_string();
        match table.lookup(key.as_bytes()) {
            Lookup::Occupied(_) => false,
            Lookup::Vacant(vacancy) => {
                table.insert(vacancy, key.as_bytes().into());
                true
            }
        }
    }

    fn remove(table: &mut HashTable<Box<[u8]>>, key: u64) -> bool {
        let found = table.find(key.to_string().as_bytes());
        found.map(|position| table.remove(position)).is_some()
    }

    #[test]
    fn it_grows_and_shrinks_as_a_set() {
        let mut random = Random::seeded(2);
        let mut table = HashTable::default();
        let mut model = BTreeMap::new();
        for round in 0..6 {
            for _ in 0..20_000 {
                let key = random.below(10_000);
                if random.below(10) < [8, 2, 5, 9, 1, 0][round] {
                    assert_eq!(add(&mut table, key), model.insert(key, ()).is_none());
                } else {
                    assert_eq!(remove(&mut table, key), model.remove(&key).is_some());
                }
                assert_eq!(table.len(), model.len());
            }
            let found: BTreeSet<u64> = (0..table.len())
                .map(|position| table.at(position))
                .map(|key| str::from_utf8(key).unwrap().parse().unwrap())
                .collect();
            assert!(found.iter().eq(model.keys()));
            assert_eq!(
                table.owned,
                (0..table.len()).map(|position| table.at(position).owned()).sum::<usize>()
            );
        }
    }

    #[test]
    fn it_gives_memory_back() {
        let mut table = HashTable::default();
        (0..100_000).for_each(|key| assert!(add(&mut table, key)));
        let full = table.memory();
        (0..99_000).for_each(|key| assert!(remove(&mut table, key)));
        assert!(table.memory() < full / 20, "{} of {full}", table.memory());
    }

    #[test]
    fn a_scan_returns_all_that_stays_while_the_rest_comes_and_goes() {
        for seed in 1..40 {
            let mut random = Random::seeded(seed);
            let mut table = HashTable::default();
            let stays = 0..1_000;
            stays.clone().for_each(|key| assert!(add(&mut table, key)));
            (1_000..4_000).for_each(|key| assert!(add(&mut table, key)));

            let grows = seed % 2 == 0;
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            loop {
                let count = 1 + random.below(20) as usize;
                cursor = table.scan(cursor, count, |key| {
                    seen.insert(str::from_utf8(key).unwrap().parse::<u64>().unwrap());
                });
                if cursor == 0 {
                    break;
                }
                for _ in 0..random.below(40) {
                    let key = 1_000 + random.below(9_000);
                    if grows {
                        add(&mut table, key)
                    } else {
                        remove(&mut table, key)
                    };
                }
            }
            assert!(stays.clone().all(|key| seen.contains(&key)));
        }
    }

    #[test]
    fn a_scan_visits_as_many_as_asked_and_takes_any_cursor() {
        let mut table = HashTable::default();
        (0..100).for_each(|key| assert!(add(&mut table, key)));
        let mut visited = 0;
        assert_eq!(table.scan(0, 10, |_| visited += 1), 90);
        assert_eq!(visited, 10);
        assert_eq!(table.scan(u64::MAX, 1_000, |_| visited += 1), 0);
        assert_eq!(visited, 110);
    }
}
