//! LZF, as the format's strings are compressed with it.
//!
//! ```text
//! 000lllll                      l + 1 literal bytes follow
//! llldddddd (l < 7) dddddddd    l + 2 bytes from d + 1 bytes ago
//! 111ddddd llllllll dddddddd    l + 9 bytes from d + 1 bytes ago
//! ```

use crate::error::Malformed;

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// A short string gets a small table, because clearing it is most of the work.
const HASH_BITS: std::ops::RangeInclusive<u32> = 8..=14;

/// Three bytes that copy 264 are the most that can be had.
fn could_expand(compressed: usize, len: usize) -> bool {
    len <= compressed.saturating_mul(MATCH_MAX / MATCH_MIN)
}

/// The compressed form, if it takes at most `len_max` bytes.
pub(crate) fn compress(bytes: &[u8], len_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len_max);
    // Where three bytes of each hash were last seen, plus one.
    let hash_bits = bytes.len().max(1).ilog2().clamp(*HASH_BITS.start(), *HASH_BITS.end());
    let mut seen = vec![0_u32; 1 << hash_bits];
    let (mut at, mut literals_at) = (0, 0);
    while at + MATCH_MIN <= bytes.len() {
        let hash = hash([bytes[at], bytes[at + 1], bytes[at + 2]], hash_bits);
        let candidate = std::mem::replace(&mut seen[hash], u32::try_from(at + 1).ok()?);
        let matched = (candidate as usize)
            .checked_sub(1)
            .filter(|from| at - from <= DISTANCE_MAX)
            .map(|from| (at - from, common(&bytes[from..], &bytes[at..])))
            .filter(|&(_, len)| len >= MATCH_MIN);
        let Some((distance, len)) = matched else {
            at += 1;
            continue;
        };
        write_literals(&mut out, &bytes[literals_at..at]);
        let (distance, copied) = (distance - 1, len - 2);
        let high = (distance >> 8) as u8;
        if copied < 7 {
            out.push((copied as u8) << 5 | high);
        } else {
            out.extend([7 << 5 | high, (copied - 7) as u8]);
        }
        out.push(distance as u8);
        at += len;
        literals_at = at;
        if out.len() > len_max {
            return None;
        }
    }
    write_literals(&mut out, &bytes[literals_at..]);
    (out.len() <= len_max).then_some(out)
}

fn write_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn common(before: &[u8], now: &[u8]) -> usize {
    before.iter().zip(now).take(MATCH_MAX).take_while(|(one, other)| one == other).count()
}

fn hash([a, b, c]: [u8; 3], bits: u32) -> usize {
    let word = u32::from_le_bytes([a, b, c, 0]);
    (word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}

/// The `len` bytes that were compressed.
pub(crate) fn decompress(compressed: &[u8], len: usize) -> Result<Vec<u8>, Malformed> {
    const WRONG: Malformed = Malformed("a compressed string is damaged");
    if !could_expand(compressed.len(), len) {
        return Err(WRONG);
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = compressed;
    while let [control, tail @ ..] = rest {
        let control = usize::from(*control);
        if control < LITERALS_MAX {
            let (literals, tail) = tail.split_at_checked(control + 1).ok_or(WRONG)?;
            out.extend_from_slice(literals);
            rest = tail;
        } else {
            let (copied, tail) = match (control >> 5, tail) {
                (7, [more, tail @ ..]) => (7 + usize::from(*more), tail),
                (7, []) => return Err(WRONG),
                (copied, tail) => (copied, tail),
            };
            let [low, tail @ ..] = tail else { return Err(WRONG) };
            let distance = ((control & 0x1f) << 8 | usize::from(*low)) + 1;
            let from = out.len().checked_sub(distance).ok_or(WRONG)?;
            // What is copied may be what is being written.
            for index in from..from + copied + 2 {
                out.push(out[index]);
            }
            rest = tail;
        }
        if out.len() > len {
            return Err(WRONG);
        }
    }
    if out.len() == len { Ok(out) } else { Err(WRONG) }
}

#[cfg(test)]
mod tests {
    use super::{compress, decompress};

    #[test]
    fn what_repeats_shrinks_and_comes_back() {
        let mut seed = 5_u64;
        for len in [21, 100, 1_000, 20_000, 70_000] {
            for alphabet in [1, 2, 5, 40] {
                let bytes: Vec<u8> = (0..len)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(9);
                        (seed >> 33) as u8 % alphabet
                    })
                    .collect();
                let compressed = compress(&bytes, 2 * len + 2).expect("there is room");
                assert_eq!(decompress(&compressed, len), Ok(bytes));
                assert!(alphabet > 2 || len < 100 || compressed.len() < len * 9 / 10);
            }
        }
    }

    #[test]
    fn what_does_not_shrink_is_left_alone() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(compress(&bytes, bytes.len() - 4), None);
    }

    #[test]
    fn damage_is_noticed() {
        let compressed = compress(&[7; 1_000], 900).expect("it shrinks");
        for cut in 0..compressed.len() {
            assert!(decompress(&compressed[..cut], 1_000).is_err());
        }
        assert!(decompress(&compressed, 999).is_err());
        assert!(decompress(&[0x20, 0x05], 3).is_err());
        assert!(decompress(&[0xff, 0xff, 0xff], usize::MAX).is_err());
    }
}
