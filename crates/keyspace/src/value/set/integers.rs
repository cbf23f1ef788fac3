/// Different integers in ascending order, all as wide as the widest needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Integers {
    bytes: Vec<u8>,
    width: Width,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    #[default]
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Integers {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.width as usize
    }

    pub(super) fn get(&self, index: usize) -> i64 {
        let width = self.width as usize;
        let bytes = &self.bytes[index * width..][..width];
        // The top byte carries the sign: it goes last into a word of sign bits.
        let mut word = if bytes[width - 1] & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
        word[..width].copy_from_slice(bytes);
        i64::from_le_bytes(word)
    }

    pub(super) fn contains(&self, integer: i64) -> bool {
        self.find(integer).is_ok()
    }

    /// Returns whether the integer is new.
    pub(super) fn insert(&mut self, integer: i64) -> bool {
        self.widen(Width::of(integer));
        let Err(index) = self.find(integer) else { return false };
        let width = self.width as usize;
        let at = index * width;
        if self.bytes.capacity() - self.bytes.len() < width {
            self.bytes.reserve_exact(width.max(self.bytes.len() / 4));
        }
        let end = self.bytes.len();
        self.bytes.resize(end + width, 0);
        self.bytes.copy_within(at..end, at + width);
        self.bytes[at..at + width].copy_from_slice(&integer.to_le_bytes()[..width]);
        true
    }

    /// Returns whether the integer was there.
    pub(super) fn remove(&mut self, integer: i64) -> bool {
        let Ok(index) = self.find(integer) else { return false };
        let width = self.width as usize;
        self.bytes.drain(index * width..(index + 1) * width);
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to_fit();
        }
        true
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    fn find(&self, integer: i64) -> Result<usize, usize> {
        let mut range = 0..self.len();
        while !range.is_empty() {
            let middle = range.start + range.len() / 2;
            match self.get(middle).cmp(&integer) {
                std::cmp::Ordering::Less => range.start = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => range.end = middle,
            }
        }
        Err(range.start)
    }

    fn widen(&mut self, width: Width) {
        if width <= self.width {
            return;
        }
        let mut bytes = Vec::with_capacity((self.len() + 1) * width as usize);
        for index in 0..self.len() {
            bytes.extend_from_slice(&self.get(index).to_le_bytes()[..width as usize]);
        }
        *self = Integers { bytes, width };
    }
}

impl Width {
    fn of(integer: i64) -> Self {
        if i16::try_from(integer).is_ok() {
            Width::Two
        } else if i32::try_from(integer).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::value::testing::Random;

    #[test]
    fn a_wider_integer_widens_the_others() {
        let mut integers = Integers::default();
        for integer in [-1, 32_767, -32_768, 32_768, -2_147_483_649, i64::MIN, i64::MAX] {
            assert!(integers.insert(integer));
            assert!(integers.contains(integer));
        }
        let all: Vec<i64> = (0..integers.len()).map(|index| integers.get(index)).collect();
        assert_eq!(all, [i64::MIN, -2_147_483_649, -32_768, -1, 32_767, 32_768, i64::MAX]);
    }

    #[test]
    fn any_mix_of_changes_is_that_of_an_ordered_set() {
        let mut random = Random::seeded(6);
        let mut integers = Integers::default();
        let mut model = BTreeSet::new();
        for _ in 0..20_000 {
            let integer = random.below(400) as i64 - 200;
            if random.below(2) == 0 {
                assert_eq!(integers.insert(integer), model.insert(integer));
            } else {
                assert_eq!(integers.remove(integer), model.remove(&integer));
            }
            assert_eq!(integers.len(), model.len());
        }
        assert!((0..integers.len()).map(|index| integers.get(index)).eq(model));
    }
}
