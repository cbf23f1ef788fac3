//! Lengths in as few bytes as they need: seven bits a byte, the low ones first.

/// What the largest length takes.
pub(crate) const SIZE_MAX: usize = 10;

pub(crate) fn size(length: usize) -> usize {
    let bits = usize::BITS - (length | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Writes `length` to the start of `bytes` and returns what it took.
pub(crate) fn write(bytes: &mut [u8], mut length: usize) -> usize {
    let mut at = 0;
    while length >= 0x80 {
        bytes[at] = length as u8 | 0x80;
        length >>= 7;
        at += 1;
    }
    bytes[at] = length as u8;
    at + 1
}

/// Writes `length` so that it can be read from the end of `bytes`.
pub(crate) fn write_reversed(bytes: &mut [u8], length: usize) -> usize {
    let written = write(bytes, length);
    bytes[..written].reverse();
    written
}

/// Reads a length and returns it with what it took.
pub(crate) fn read(bytes: &[u8]) -> (usize, usize) {
    gather(bytes.iter())
}

/// Reads the length that ends `bytes`.
pub(crate) fn read_reversed(bytes: &[u8]) -> (usize, usize) {
    gather(bytes.iter().rev())
}

#[inline]
fn gather<'a>(bytes: impl Iterator<Item = &'a u8>) -> (usize, usize) {
    let mut length = 0;
    for (at, byte) in bytes.enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return (length, at + 1);
        }
    }
    panic!("a length ends before its bytes do");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_back_from_both_ends() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 1 << 29, usize::MAX] {
            let mut bytes = [0xff; SIZE_MAX];
            let written = write(&mut bytes, length);
            assert_eq!(written, size(length));
            assert_eq!(read(&bytes), (length, written));

            write_reversed(&mut bytes, length);
            assert_eq!(read_reversed(&bytes[..written]), (length, written));
        }
    }
}
