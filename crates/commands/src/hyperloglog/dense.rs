//! The dense encoding: every register in six bits, the lowest bits first.

use super::registers::{REGISTERS, VALUES};

const BITS: usize = 6;
const MASK: u16 = (1 << BITS) - 1;
pub(super) const LEN: usize = REGISTERS * BITS / 8;

pub(super) fn get(registers: &[u8], index: usize) -> u8 {
    let (byte, shift) = (index * BITS / 8, index * BITS % 8);
    (word(registers, byte) >> shift & MASK) as u8
}

/// Returns whether the register was lower.
pub(super) fn raise(registers: &mut [u8], index: usize, value: u8) -> bool {
    if get(registers, index) >= value {
        return false;
    }
    let (byte, shift) = (index * BITS / 8, index * BITS % 8);
    let word = word(registers, byte) & !(MASK << shift) | u16::from(value) << shift;
    let [low, high] = word.to_le_bytes();
    registers[byte] = low;
    // The last register ends with its byte.
    if let Some(next) = registers.get_mut(byte + 1) {
        *next = high;
    }
    true
}

pub(super) fn histogram(registers: &[u8]) -> [u32; VALUES] {
    let mut histogram = [0; VALUES];
    // Four registers are three bytes.
    for &[a, b, c] in registers.as_chunks::<3>().0 {
        let word = u32::from_le_bytes([a, b, c, 0]);
        for shift in [0, 6, 12, 18] {
            histogram[(word >> shift) as usize & usize::from(MASK)] += 1;
        }
    }
    histogram
}

fn word(registers: &[u8], byte: usize) -> u16 {
    u16::from_le_bytes([registers[byte], registers.get(byte + 1).copied().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_leaves_its_neighbours_alone() {
        let mut registers = vec![0; LEN];
        for index in 0..REGISTERS {
            assert!(raise(&mut registers, index, (index % 51) as u8 + 1));
            assert!(!raise(&mut registers, index, (index % 51) as u8));
        }
        for index in 0..REGISTERS {
            assert_eq!(get(&registers, index), (index % 51) as u8 + 1);
        }
        let histogram = histogram(&registers);
        assert_eq!(histogram.iter().sum::<u32>(), REGISTERS as u32);
        assert_eq!((histogram[0], histogram[1]), (0, 322));
    }
}
