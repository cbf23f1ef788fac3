//! Which register an element falls into, and what it asks of it.

use super::registers::{INDEX_BITS, REGISTERS, VALUE_MAX};

/// MurmurHash64A in its little-endian form, with the seed that is part of the format.
fn murmur(bytes: &[u8]) -> u64 {
    const SEED: u64 = 0xadc8_3b19;
    const MIX: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;

    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MIX);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MIX)).wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> SHIFT)).wrapping_mul(MIX);
    hash ^ (hash >> SHIFT)
}

/// The register, and the length of the run of zeros in the rest of the hash, plus one.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let index = hash as usize & (REGISTERS - 1);
    // The bit above the rest ends the run where nothing else does.
    let rest = (hash >> INDEX_BITS) | (1 << (VALUE_MAX - 1));
    (index, rest.trailing_zeros() as u8 + 1)
}

#[cfg(test)]
mod tests {
    use super::{VALUE_MAX, place};

    #[test]
    fn every_element_has_a_register_and_a_value_within_bounds() {
        for number in 0..50_000_u32 {
            let (index, value) = place(&number.to_le_bytes()[..(number as usize % 4) + 1]);
            assert!(index < 16_384 && (1..=VALUE_MAX).contains(&value));
        }
    }
}
