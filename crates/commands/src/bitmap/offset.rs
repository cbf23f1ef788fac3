use crate::{Error, Result};

/// Bits in the longest string (`proto-max-bulk-len`'s default).
const BITS_MAX: u64 = 8 * (512 << 20);

/// The number of a bit, no further than the longest string reaches.
pub(super) fn parse_offset(text: &[u8]) -> Result<u64> {
    parse_scaled(text, 1)
}

/// As [`parse_offset`], or `#` and how many fields of `width` bits lie before.
pub(super) fn parse_field_offset(text: &[u8], width: u32) -> Result<u64> {
    match text {
        [b'#', number @ ..] => parse_scaled(number, u64::from(width)),
        _ => parse_offset(text),
    }
}

fn parse_scaled(text: &[u8], scale: u64) -> Result<u64> {
    resp::parse_integer(text)
        .and_then(|number| u64::try_from(number).ok()?.checked_mul(scale))
        .filter(|offset| *offset < BITS_MAX)
        .ok_or_else(|| Error::text("ERR bit offset is not an integer or out of range").into())
}
