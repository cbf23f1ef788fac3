use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// Where a key belongs in a table. A parameter of the table, so that tests can make keys collide.
pub(crate) trait KeyHash {
    fn hash(&self, key: &[u8]) -> u64;
}

/// A hash that who does not know the seed cannot make collide. Of the two foldhashes the one that mixes once more: the table
/// reads bits from both ends, and the other leaves the top of short keys uneven.
#[derive(Clone)]
pub(crate) struct Seeded {
    seed: u64,
    shared: SharedSeed,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Seeded {
        Seeded { seed, shared: SharedSeed::from_u64(seed) }
    }
}

impl KeyHash for Seeded {
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(key);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table takes its order from the top bits and its tags from the bottom ones.
    #[test]
    fn numbered_keys_spread_evenly_in_the_top_and_in_the_bottom_bits() {
        let hash = Seeded::new(42);
        let (mut top, mut bottom) = (vec![0u32; 1024], vec![0u32; 1024]);
        for number in 0..102_400 {
            let hash = hash.hash(format!("key:{number}").as_bytes());
            top[(hash >> 54) as usize] += 1;
            bottom[(hash & 1023) as usize] += 1;
        }
        for count in top.into_iter().chain(bottom) {
            assert!((40..=170).contains(&count), "{count}");
        }
    }

    #[test]
    fn another_seed_is_another_hash() {
        assert_ne!(Seeded::new(1).hash(b"key"), Seeded::new(2).hash(b"key"));
    }
}
