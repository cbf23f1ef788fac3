//! Sets of integers: all as wide as the widest needs, ascending.

use crate::error::Malformed;

const HEADER: usize = 8;

pub(crate) fn read(bytes: &[u8]) -> Result<impl Iterator<Item = i64>, Malformed> {
    const WRONG: Malformed = Malformed("a set of integers is damaged");
    let (header, content) = bytes.split_first_chunk::<HEADER>().ok_or(WRONG)?;
    let [width, len] = [0, 4].map(|at| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
    });
    if !matches!(width, 2 | 4 | 8) || len.checked_mul(width) != Some(content.len()) {
        return Err(WRONG);
    }
    let integers = content.chunks_exact(width).map(|bytes| match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => i64::from_le_bytes(bytes.try_into().expect("the third width is eight")),
    });
    if !integers.clone().is_sorted_by(|one, next| one < next) {
        return Err(WRONG);
    }
    Ok(integers)
}

/// The integers must ascend.
pub(crate) fn write(integers: &[i64]) -> Vec<u8> {
    // The first and the last are the farthest from zero.
    let ends = integers.first().into_iter().chain(integers.last());
    let width = ends.fold(2, |width, &integer| {
        let needed = match integer {
            -0x8000..0x8000 => 2,
            -0x8000_0000..0x8000_0000 => 4,
            _ => 8,
        };
        width.max(needed)
    });
    let mut bytes = Vec::with_capacity(HEADER + integers.len() * width);
    bytes.extend((width as u32).to_le_bytes());
    bytes.extend((integers.len() as u32).to_le_bytes());
    for integer in integers {
        bytes.extend_from_slice(&integer.to_le_bytes()[..width]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_width_come_back() {
        for integers in [
            &[-3, 0, 7][..],
            &[-40_000, 5],
            &[i64::MIN, -1, i64::MAX],
            &[-0x8000, 0x7fff],
            &[0x8000],
        ] {
            let bytes = write(integers);
            assert_eq!(read(&bytes).unwrap().collect::<Vec<_>>(), integers);
        }
        assert_eq!(write(&[1, 2]).len(), 8 + 4);
    }

    #[test]
    fn only_ascending_integers_of_a_known_width_are_a_set() {
        assert!(read(&write(&[2, 1])).is_err());
        assert!(read(&write(&[1, 1])).is_err());
        assert!(read(&write(&[1, 2])[..11]).is_err());
        assert!(read(b"\x03\0\0\0\x01\0\0\0abc").is_err());
        assert!(read(b"\x08\0\0\0\xff\xff\xff\xff").is_err());
        assert!(read(b"").is_err());
    }
}
