use std::fmt;

/// A string as it is stored: bytes, or the integer they spell.
#[derive(Clone, Copy)]
pub enum StringRef<'a> {
    Bytes(&'a [u8]),
    Int(i64),
}

impl StringRef<'_> {
    pub fn len(self) -> usize {
        self.with_bytes(<[u8]>::len)
    }

    pub fn is_empty(self) -> bool {
        matches!(self, StringRef::Bytes([]))
    }

    /// The number that the string spells, if it does so as Redis demands: no sign but `-`, no leading zeros.
    pub fn as_int(self) -> Option<i64> {
        match self {
            StringRef::Bytes(bytes) => canonical_int(bytes),
            StringRef::Int(int) => Some(int),
        }
    }

    /// Lends the bytes without allocating: an integer is spelled on the stack.
    #[inline]
    pub fn with_bytes<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            StringRef::Bytes(bytes) => f(bytes),
            StringRef::Int(int) => f(itoa::Buffer::new().format(int).as_bytes()),
        }
    }

    #[inline]
    pub fn write_to(self, out: &mut Vec<u8>) {
        self.with_bytes(|bytes| out.extend_from_slice(bytes));
    }

    pub fn to_vec(self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }
}

impl PartialEq for StringRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.with_bytes(|left| other.with_bytes(|right| left == right))
    }
}

impl Eq for StringRef<'_> {}

impl PartialEq<[u8]> for StringRef<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.with_bytes(|bytes| bytes == other)
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for StringRef<'_> {
    fn eq(&self, other: &&[u8; N]) -> bool {
        *self == other[..]
    }
}

impl fmt::Debug for StringRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_bytes(|bytes| write!(f, "\"{}\"", bytes.escape_ascii()))
    }
}

/// The integer that `bytes` spell, if writing it out again gives the same bytes.
#[inline]
pub(crate) fn canonical_int(bytes: &[u8]) -> Option<i64> {
    // Most values are too long, or do not begin like a number: they pay for one comparison.
    const LONGEST: usize = "-9223372036854775808".len();
    if bytes.is_empty() || bytes.len() > LONGEST {
        return None;
    }
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }

    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Negative all along, because the least i64 has no positive twin.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_recognised_only_in_its_one_spelling() {
        for (bytes, int) in [
            (&b"0"[..], Some(0)),
            (b"-1", Some(-1)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"", None),
            (b"-", None),
            (b"-0", None),
            (b"007", None),
            (b"+1", None),
            (b" 1", None),
            (b"1a", None),
        ] {
            assert_eq!(canonical_int(bytes), int, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_integer_equals_the_bytes_that_spell_it() {
        assert_eq!(StringRef::Int(-42), StringRef::Bytes(b"-42"));
        assert_eq!(StringRef::Int(-42).len(), 3);
        assert_eq!(StringRef::Int(0).to_vec(), b"0");
        assert_ne!(StringRef::Int(4), StringRef::Bytes(b"42"));
    }
}
