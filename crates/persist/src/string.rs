//! Strings: plain, as an integer of up to four bytes, or compressed.

use keyspace::StringRef;

use crate::error::{Result, malformed};
use crate::length::{self, Length};
use crate::lzf;
use crate::source::Source;

const INT8: u8 = 0;
const INT16: u8 = 1;
const INT32: u8 = 2;
const LZF: u8 = 3;
const SPECIAL: u8 = 0xc0;
/// The longest text of a 32-bit integer.
const INTEGER_TEXT_MAX: usize = "-2147483648".len();
/// Shorter strings are not worth compressing.
const COMPRESSED_MIN: usize = 21;
/// Compression must gain this much.
const GAIN_MIN: usize = 4;

pub(crate) fn read(source: &mut Source) -> Result<Vec<u8>> {
    let integer = |integer: i32| itoa::Buffer::new().format(integer).as_bytes().to_vec();
    Ok(match length::read_any(source)? {
        Length::Plain(len) => source.bytes(len)?,
        Length::Special(INT8) => integer(i8::from_le_bytes(source.array()?).into()),
        Length::Special(INT16) => integer(i16::from_le_bytes(source.array()?).into()),
        Length::Special(INT32) => integer(i32::from_le_bytes(source.array()?)),
        Length::Special(LZF) => {
            let compressed_len = length::read(source)?;
            let len = length::read(source)?;
            let compressed = source.bytes(compressed_len)?;
            let Ok(len) = usize::try_from(len) else { return malformed("a string is too long") };
            lzf::decompress(&compressed, len)?
        }
        Length::Special(_) => return malformed("a string is of no known encoding"),
    })
}

pub(crate) fn write(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= INTEGER_TEXT_MAX
        && let Some(integer) = StringRef::Bytes(bytes).as_int()
        && write_integer(out, integer)
    {
        return;
    }
    if bytes.len() >= COMPRESSED_MIN
        && let Some(compressed) = lzf::compress(bytes, bytes.len() - GAIN_MIN)
    {
        out.push(SPECIAL | LZF);
        length::write(out, compressed.len() as u64);
        length::write(out, bytes.len() as u64);
        out.extend(compressed);
        return;
    }
    length::write(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Returns whether the integer is small enough for an encoding of its own.
fn write_integer(out: &mut Vec<u8>, integer: i64) -> bool {
    if let Ok(integer) = i8::try_from(integer) {
        out.push(SPECIAL | INT8);
        out.extend(integer.to_le_bytes());
    } else if let Ok(integer) = i16::try_from(integer) {
        out.push(SPECIAL | INT16);
        out.extend(integer.to_le_bytes());
    } else if let Ok(integer) = i32::try_from(integer) {
        out.push(SPECIAL | INT32);
        out.extend(integer.to_le_bytes());
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, bytes);
        assert_eq!(read(&mut Source::new(&mut &out[..])).unwrap(), bytes);
        out
    }

    #[test]
    fn a_string_takes_its_smallest_form() {
        assert_eq!(written(b""), b"\0");
        assert_eq!(written(b"12"), b"\xc0\x0c");
        assert_eq!(written(b"-200"), b"\xc1\x38\xff");
        assert_eq!(written(b"70000"), b"\xc2\x70\x11\x01\x00");
        assert_eq!(written(b"007"), b"\x03007");
        assert_eq!(written(b"2147483648").len(), 11);
        assert!(written(&[b'a'; 5_000]).len() < 100);
    }

    #[test]
    fn damaged_strings_are_refused() {
        for bytes in [&b"\x05abc"[..], b"\xc4", b"\xc0", b"\xc3\x01\x05\x00", b"\x81\xff", b""] {
            assert!(read(&mut Source::new(&mut &bytes[..])).is_err(), "{bytes:?}");
        }
    }
}
