use std::fmt;
use std::ops::Bound;

/// An entry's place in its stream: when it was added, and its turn within that millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// Why an end of an interval could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundError {
    Invalid,
    /// Excluding the smallest or the greatest id leaves nothing to start from or to end at.
    Empty,
}

impl StreamId {
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// `ms-seq`, or `ms` alone, which takes `missing_seq`. Neither `-` nor `+` is an id here.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match text.iter().position(|&byte| byte == b'-') {
            Some(dash) => {
                let ms = parse_number(&text[..dash])?;
                let seq = parse_number(&text[dash + 1..])?;
                Some(StreamId { ms, seq })
            }
            None => Some(StreamId { ms: parse_number(text)?, seq: missing_seq }),
        }
    }

    /// The smallest id of an interval: an id, `-`, `+`, or `(` and the id before it.
    pub fn parse_start(text: &[u8]) -> Result<StreamId, BoundError> {
        match text {
            [b'(', id @ ..] => {
                StreamId::parse(id, 0).ok_or(BoundError::Invalid)?.next().ok_or(BoundError::Empty)
            }
            _ => parse_inclusive(text, 0),
        }
    }

    /// The greatest id of an interval: an id, `-`, `+`, or `(` and the id after it.
    pub fn parse_end(text: &[u8]) -> Result<StreamId, BoundError> {
        match text {
            [b'(', id @ ..] => StreamId::parse(id, u64::MAX)
                .ok_or(BoundError::Invalid)?
                .previous()
                .ok_or(BoundError::Empty),
            _ => parse_inclusive(text, u64::MAX),
        }
    }

    pub fn write_to(self, text: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        text.extend_from_slice(digits.format(self.ms).as_bytes());
        text.push(b'-');
        text.extend_from_slice(digits.format(self.seq).as_bytes());
    }

    /// What an ordered map takes for `start..=end`; empty when they are the wrong way round, where the map would panic.
    pub(super) fn interval(start: StreamId, end: StreamId) -> (Bound<StreamId>, Bound<StreamId>) {
        if start <= end {
            (Bound::Included(start), Bound::Included(end))
        } else {
            (Bound::Included(StreamId::MAX), Bound::Excluded(StreamId::MAX))
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

fn parse_inclusive(text: &[u8], missing_seq: u64) -> Result<StreamId, BoundError> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => StreamId::parse(text, missing_seq).ok_or(BoundError::Invalid),
    }
}

/// Leading blanks, a plus and leading zeros are let through, as C's `strtoull` does it for Redis.
pub(super) fn parse_number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    #[test]
    fn an_incomplete_id_takes_the_default_sequence() {
        assert_eq!(StreamId::parse(b"5", 7), Some(id(5, 7)));
        assert_eq!(StreamId::parse(b"5-1", 7), Some(id(5, 1)));
        assert_eq!(StreamId::parse(b"007-001", 7), Some(id(7, 1)));
        assert_eq!(StreamId::parse(b" 5-+1", 7), Some(id(5, 1)));
    }

    #[test]
    fn what_is_not_two_numbers_is_not_an_id() {
        for text in [
            "",
            "-",
            "+",
            "5-",
            "-5",
            "5-1-2",
            "--5",
            "5 -1",
            "0x5-1",
            "*-1",
            "5-*",
            "18446744073709551616",
        ] {
            assert_eq!(StreamId::parse(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(
            StreamId::parse(b"18446744073709551615-18446744073709551615", 0),
            Some(StreamId::MAX)
        );
    }

    #[test]
    fn neighbours_cross_the_millisecond() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).previous(), Some(id(1, u64::MAX)));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
    }

    #[test]
    fn an_interval_takes_in_its_ends_unless_they_are_excluded() {
        assert_eq!(StreamId::parse_start(b"-"), Ok(StreamId::MIN));
        assert_eq!(StreamId::parse_end(b"+"), Ok(StreamId::MAX));
        assert_eq!(StreamId::parse_start(b"5"), Ok(id(5, 0)));
        assert_eq!(StreamId::parse_end(b"5"), Ok(id(5, u64::MAX)));
        assert_eq!(StreamId::parse_start(b"(5-4"), Ok(id(5, 5)));
        assert_eq!(StreamId::parse_end(b"(5-0"), Ok(id(4, u64::MAX)));
        assert_eq!(StreamId::parse_end(b"(5"), Ok(id(5, u64::MAX - 1)));
    }

    #[test]
    fn nothing_can_be_excluded_at_the_very_ends() {
        assert_eq!(
            StreamId::parse_start(b"(18446744073709551615-18446744073709551615"),
            Err(BoundError::Empty)
        );
        assert_eq!(StreamId::parse_end(b"(0-0"), Err(BoundError::Empty));
        for text in ["(-", "(+", "(", "((1", "5-"] {
            assert_eq!(StreamId::parse_start(text.as_bytes()), Err(BoundError::Invalid), "{text}");
            assert_eq!(StreamId::parse_end(text.as_bytes()), Err(BoundError::Invalid), "{text}");
        }
    }

    #[test]
    fn an_id_is_written_as_it_is_read() {
        let mut text = Vec::new();
        id(1526919030474, 55).write_to(&mut text);
        assert_eq!(text, b"1526919030474-55");
        assert_eq!(id(1526919030474, 55).to_string(), "1526919030474-55");
    }
}
