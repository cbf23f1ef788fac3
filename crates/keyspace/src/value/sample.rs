//! Choosing by chance. Chance itself is handed in.

use hashbrown::HashSet;

use foldhash::fast::RandomState;

/// A number below `bound`, which is not 0.
pub(crate) fn below(bound: usize, random: &mut dyn FnMut() -> u64) -> usize {
    // The high half of the product: evenly spread, and cheaper than a remainder.
    ((u128::from(random()) * bound as u128) >> 64) as usize
}

/// `count` different numbers below `bound`, or all of them if there are fewer, in random order.
pub(crate) fn distinct(bound: usize, count: usize, random: &mut dyn FnMut() -> u64) -> Vec<usize> {
    if count >= bound / 4 {
        return shuffled(bound, count.min(bound), random);
    }
    let mut drawn = HashSet::with_capacity_and_hasher(count, RandomState::default());
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        let number = below(bound, random);
        if drawn.insert(number) {
            chosen.push(number);
        }
    }
    chosen
}

fn shuffled(bound: usize, count: usize, random: &mut dyn FnMut() -> u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..bound).collect();
    for at in 0..count {
        numbers.swap(at, at + below(bound - at, random));
    }
    numbers.truncate(count);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::Random;

    #[test]
    fn a_sample_has_no_number_twice() {
        let mut random = Random::seeded(3);
        for (bound, count, expected) in
            [(1000, 10, 10), (1000, 400, 400), (10, 50, 10), (0, 5, 0), (5, 0, 0)]
        {
            let mut sample = distinct(bound, count, &mut || random.next());
            sample.sort_unstable();
            sample.dedup();
            assert_eq!(sample.len(), expected);
            assert!(sample.iter().all(|&number| number < bound));
        }
    }

    #[test]
    fn every_number_has_its_turn() {
        let mut random = Random::seeded(4);
        let mut hits = [0; 10];
        (0..10_000).for_each(|_| hits[below(10, &mut || random.next())] += 1);
        assert!(hits.iter().all(|&hits| (800..1200).contains(&hits)), "{hits:?}");
    }
}
