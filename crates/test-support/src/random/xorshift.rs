/// A small reproducible source of chance: the same seed gives the same run on every machine.
pub(crate) struct Xorshift {
    state: u64,
}

impl Xorshift {
    pub(crate) fn seeded(seed: u64) -> Xorshift {
        // Zero would stay zero for ever; the multiplication spreads neighbouring seeds.
        Xorshift { state: seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::Xorshift;

    #[test]
    fn a_seed_replays_its_run_and_another_seed_does_not() {
        let run = |seed| {
            let mut chance = Xorshift::seeded(seed);
            (0..20).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
