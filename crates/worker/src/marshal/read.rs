//! Reads marshal version 2 as a worker writes it. The bytes may be hostile: every length is checked against what is
//! there, nesting is bounded, and anything unexpected is an error.

use std::borrow::Cow;

use functions::plan::Argument;

use super::big;

/// Deeper values would cost too much stack here and wherever they are walked later.
const DEPTH_MAX: usize = 400;

/// Why bytes are not a value; said to whoever has to find out what the worker did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Truncated,
    TooDeep,
    TooWide,
    Trailing,
    UnknownType(u8),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Malformed::Truncated => f.write_str("a value is cut off"),
            Malformed::TooDeep => write!(f, "a value is nested deeper than {DEPTH_MAX}"),
            Malformed::TooWide => f.write_str("an integer is too wide"),
            Malformed::Trailing => f.write_str("bytes follow the value"),
            Malformed::UnknownType(code) => write!(f, "unknown type code {code:#04x}"),
        }
    }
}

#[cfg(test)]
pub(crate) fn read(bytes: &[u8]) -> Result<Argument, Malformed> {
    read_and_judge(bytes).map(|(value, _)| value)
}

/// Reads exactly one value, and whether all text in it is what it was in Python.
pub(crate) fn read_and_judge(bytes: &[u8]) -> Result<(Argument, bool), Malformed> {
    let mut reader = Reader { rest: bytes, is_faithful: true };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok((value, reader.is_faithful)) } else { Err(Malformed::Trailing) }
}

struct Reader<'a> {
    rest: &'a [u8],
    is_faithful: bool,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Argument, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        let code = self.take(1)?[0];
        Ok(match code {
            b'N' => Argument::None,
            b'T' => Argument::Bool(true),
            b'F' => Argument::Bool(false),
            b'i' => Argument::Int(i64::from(self.int32()?)),
            b'l' => self.long()?,
            b'g' => Argument::Float(self.float()?),
            b's' => Argument::Bytes(self.sized()?.to_vec()),
            b'u' | b't' | b'a' | b'A' => {
                let bytes = self.sized()?;
                Argument::Text(self.text(bytes))
            }
            b'z' | b'Z' => {
                let length = self.take(1)?[0];
                let bytes = self.take(usize::from(length))?;
                Argument::Text(self.text(bytes))
            }
            b'[' => Argument::List(self.items(depth)?),
            b'(' => Argument::Tuple(self.items(depth)?),
            b'<' | b'>' => Argument::Set(self.items(depth)?),
            b')' => {
                let length = usize::from(self.take(1)?[0]);
                Argument::Tuple(self.some(length, depth)?)
            }
            b'{' => Argument::Dict(self.pairs(depth)?),
            b'y' => complex(self.float()?, self.float()?),
            b'.' => Argument::Pickle(b"\x80\x02cbuiltins\nEllipsis\n.".to_vec()),
            other => return Err(Malformed::UnknownType(other)),
        })
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Argument>, Malformed> {
        let length = self.length()?;
        self.some(length, depth)
    }

    fn some(&mut self, length: usize, depth: usize) -> Result<Vec<Argument>, Malformed> {
        // Each item takes a byte at least: a length beyond that is a lie, and must not size an allocation.
        if length > self.rest.len() {
            return Err(Malformed::Truncated);
        }
        let mut items = Vec::with_capacity(length.min(64 * 1024));
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(items)
    }

    fn pairs(&mut self, depth: usize) -> Result<Vec<(Argument, Argument)>, Malformed> {
        let mut pairs = Vec::new();
        while self.rest.first() != Some(&b'0') {
            pairs.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        self.take(1)?;
        Ok(pairs)
    }

    /// Python strings may hold lone surrogates, which no UTF-8 text can: they become replacement characters.
    fn text(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        self.is_faithful &= matches!(text, Cow::Borrowed(_));
        text.into_owned()
    }

    fn long(&mut self) -> Result<Argument, Malformed> {
        let count = self.int32()?;
        let length = count.unsigned_abs() as usize;
        if length > big::DIGITS_MAX {
            return Err(Malformed::TooWide);
        }
        let digits: Vec<u16> = self
            .take(length * 2)?
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]) & 0x7fff)
            .collect();
        if length <= 4 {
            let magnitude =
                digits.iter().rev().fold(0i64, |sum, digit| (sum << 15) | i64::from(*digit));
            return Ok(Argument::Int(if count < 0 { -magnitude } else { magnitude }));
        }
        let decimal = big::to_decimal(count < 0, &digits);
        Ok(match decimal.parse() {
            Ok(value) => Argument::Int(value),
            Err(_) => Argument::BigInt(decimal),
        })
    }

    fn float(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }

    fn int32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.int32()?).map_err(|_| Malformed::Truncated)
    }

    fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// No value of the door says "complex number": it travels on as the pickle that Python itself would read.
fn complex(real: f64, imaginary: f64) -> Argument {
    let mut pickle = b"\x80\x02cbuiltins\ncomplex\n".to_vec();
    for part in [real, imaginary] {
        pickle.push(b'G');
        pickle.extend_from_slice(&part.to_be_bytes());
    }
    pickle.extend_from_slice(b"\x86R.");
    Argument::Pickle(pickle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_promises_more_than_there_is_is_refused() {
        assert_eq!(read(b"[\xff\xff\xff\x7f"), Err(Malformed::Truncated));
        assert_eq!(read(b"s\x05\0\0\0abc"), Err(Malformed::Truncated));
        assert_eq!(read(b"[\xff\xff\xff\xff"), Err(Malformed::Truncated));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = b")\x01".repeat(100_000);
        assert_eq!(read(&deep), Err(Malformed::TooDeep));
    }

    #[test]
    fn references_and_code_are_not_part_of_the_protocol() {
        assert_eq!(read(b"r\0\0\0\0"), Err(Malformed::UnknownType(b'r')));
        assert_eq!(read(b"c"), Err(Malformed::UnknownType(b'c')));
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let alphabet = b"NTFiglsutaAzZ[(<>){0y.\x00\x01\x02\x03\xff";
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut values = 0;
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..next() % 24)
                .map(|_| alphabet[(next() % alphabet.len() as u64) as usize])
                .collect();
            values += usize::from(read(&bytes).is_ok());
        }
        assert!(values > 0, "the loop should also hit values");
    }
}
