//! What both encodings hold: 16,384 small numbers.

pub(super) const INDEX_BITS: u32 = 14;
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;
/// A hash has 64 bits, of which 14 choose the register.
pub(super) const VALUE_MAX: u8 = (64 - INDEX_BITS) as u8 + 1;
/// What a register has room for.
pub(super) const VALUES: usize = 64;

/// All registers, one a byte: what several sketches are merged into.
pub(super) struct Registers(Box<[u8; REGISTERS]>);

impl Registers {
    pub(super) fn new() -> Self {
        Registers(Box::new([0; REGISTERS]))
    }

    pub(super) fn raise(&mut self, index: usize, value: u8) {
        self.0[index] = self.0[index].max(value);
    }

    /// The registers that are not zero.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u8)> {
        self.0.iter().copied().enumerate().filter(|&(_, value)| value > 0)
    }

    pub(super) fn histogram(&self) -> [u32; VALUES] {
        let mut histogram = [0; VALUES];
        self.0.iter().for_each(|&value| histogram[usize::from(value)] += 1);
        histogram
    }
}
