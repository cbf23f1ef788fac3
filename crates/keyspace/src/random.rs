/// Chance for SPOP, RANDOMKEY and their kind: xorshift64*, seeded by its owner, so that one seed replays a run.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Zero would be the generator's fixed point.
        Random(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
