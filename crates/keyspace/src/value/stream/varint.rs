//! Numbers of any size in as few bytes as they need: seven bits in each, the low ones first, and a mark on all but the
//! last. What is taken was put there by the same block, so a cut-off number is a bug and panics.

pub(super) fn put_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

pub(super) fn take_varint(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let byte = from[0];
        *from = &from[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

pub(super) fn varint_size(number: u64) -> usize {
    let bits = (u64::BITS - number.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// The mirror image of a varint: it is read from its last byte.
pub(super) fn put_varint_backwards(to: &mut Vec<u8>, number: u64) {
    let start = to.len();
    put_varint(to, number);
    to[start..].reverse();
}

pub(super) fn take_varint_backwards(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    loop {
        let last = from.len() - 1;
        let byte = from[last];
        *from = &from[..last];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

pub(super) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

pub(super) fn take_bytes<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let len = take_varint(from) as usize;
    let (bytes, rest) = from.split_at(len);
    *from = rest;
    bytes
}

pub(super) fn bytes_size(bytes: &[u8]) -> usize {
    varint_size(bytes.len() as u64) + bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_both_ways_of_writing_them() {
        for number in [0, 1, 127, 128, 16383, 16384, u64::MAX] {
            let mut forward = Vec::new();
            put_varint(&mut forward, number);
            assert_eq!(forward.len(), varint_size(number));
            assert_eq!(take_varint(&mut &forward[..]), number);

            let mut backward = Vec::new();
            put_varint_backwards(&mut backward, number);
            assert_eq!(take_varint_backwards(&mut &backward[..]), number);
        }
    }

    #[test]
    fn bytes_carry_their_length() {
        let mut written = Vec::new();
        put_bytes(&mut written, b"");
        put_bytes(&mut written, &[7; 300]);
        assert_eq!(written.len(), bytes_size(b"") + bytes_size(&[7; 300]));
        let mut rest = &written[..];
        assert_eq!((take_bytes(&mut rest), take_bytes(&mut rest)), (&b""[..], &[7; 300][..]));
        assert!(rest.is_empty());
    }
}
