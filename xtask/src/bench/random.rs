/// Numbers for keys and scores: the same ones for both servers, and cheap beside a command.
pub(super) struct Xorshift(u64);

impl Xorshift {
    pub(super) fn new(seed: u64) -> Xorshift {
        // Zero would stay zero.
        Xorshift(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Less than `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper half of a product is uniform without a division.
        ((u128::from(self.0) * u128::from(limit)) >> 64) as u64
    }
}
