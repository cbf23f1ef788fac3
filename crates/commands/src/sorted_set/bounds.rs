//! Scores and the ends of ranges, as they stand among the arguments.

use std::ops::{Bound, Range};

use command_spec::{ArgError, Args};
use keyspace::value::sorted_set::{LexBound, Score};
use resp::parse_double;

use crate::{Error, Result};

/// The score of a member or an increment.
pub(super) fn parse_score(text: &[u8]) -> Result<Score> {
    try_parse_score(text).ok_or_else(|| Error::Argument(ArgError::NotFloat).into())
}

pub(super) fn try_parse_score(text: &[u8]) -> Option<Score> {
    let score = parse_double(text)?;
    // Redis refuses what underflows to nothing, as it does what overflows.
    let underflows = score == 0.0 && {
        let mut mantissa = text.split(|byte| matches!(byte, b'e' | b'E' | b'p' | b'P'));
        let mut digits = mantissa.next().unwrap_or_default().iter();
        digits.any(|byte| matches!(byte, b'1'..=b'9'))
    };
    (!underflows).then_some(score)
}

/// min max
pub(super) fn score_bounds(min: &[u8], max: &[u8]) -> Result<(Bound<Score>, Bound<Score>)> {
    match (score_bound(min), score_bound(max)) {
        (Some(min), Some(max)) => Ok((min, max)),
        _ => Err(Error::text("ERR min or max is not a float").into()),
    }
}

fn score_bound(text: &[u8]) -> Option<Bound<Score>> {
    match text.strip_prefix(b"(") {
        Some(text) => Some(Bound::Excluded(lenient_score(text)?)),
        None => Some(Bound::Included(lenient_score(text)?)),
    }
}

/// Bounds are read as C does it: nothing is zero, blanks may stand before, and what is too large is infinite.
fn lenient_score(text: &[u8]) -> Option<Score> {
    if text.is_empty() {
        return Some(0.0);
    }
    let text = text.trim_ascii_start();
    parse_double(text)
        .or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
        .filter(|score: &Score| !score.is_nan())
}

/// min max
pub(super) fn lex_bounds<'a>(min: &'a [u8], max: &'a [u8]) -> Result<(LexBound<'a>, LexBound<'a>)> {
    match (lex_bound(min), lex_bound(max)) {
        (Some(min), Some(max)) => Ok((min, max)),
        _ => Err(Error::text("ERR min or max not valid string range item").into()),
    }
}

fn lex_bound(text: &[u8]) -> Option<LexBound<'_>> {
    match text {
        b"-" => Some(LexBound::Min),
        b"+" => Some(LexBound::Max),
        [b'[', member @ ..] => Some(LexBound::Included(member)),
        [b'(', member @ ..] => Some(LexBound::Excluded(member)),
        _ => None,
    }
}

/// start stop, both included, negative ones from the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexBounds {
    start: i64,
    stop: i64,
}

impl IndexBounds {
    pub(super) fn parse(args: &mut Args) -> Result<Self> {
        Ok(IndexBounds { start: args.integer()?, stop: args.integer()? })
    }

    /// The indexes that exist.
    pub(super) fn within(self, len: usize) -> Range<usize> {
        let count = len as i64;
        let from_end = |index: i64| if index < 0 { index + count } else { index };
        let start = from_end(self.start).clamp(0, count);
        let end = from_end(self.stop).saturating_add(1).clamp(start, count);
        start as usize..end as usize
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::{IndexBounds, lex_bound, score_bound, try_parse_score};

    #[test]
    fn scores_neither_overflow_nor_vanish() {
        assert_eq!(try_parse_score(b"-1.5e3"), Some(-1500.0));
        assert_eq!(try_parse_score(b"0e5"), Some(0.0));
        for text in ["1e400", "1e-400", "nan", "", " 1"] {
            assert_eq!(try_parse_score(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn score_bounds_take_more_than_scores_do() {
        assert_eq!(score_bound(b"(1"), Some(Bound::Excluded(1.0)));
        assert_eq!(score_bound(b"1e400"), Some(Bound::Included(f64::INFINITY)));
        assert_eq!(score_bound(b""), Some(Bound::Included(0.0)));
        assert_eq!(score_bound(b"( 2"), Some(Bound::Excluded(2.0)));
        assert_eq!(score_bound(b"nan"), None);
        assert_eq!(score_bound(b" "), None);
    }

    #[test]
    fn members_as_bounds_say_whether_they_belong() {
        assert!(lex_bound(b"[a").is_some() && lex_bound(b"(").is_some());
        assert!(lex_bound(b"+").is_some() && lex_bound(b"+a").is_none());
        assert!(lex_bound(b"a").is_none() && lex_bound(b"").is_none());
    }

    #[test]
    fn indexes_count_from_both_ends() {
        for (start, stop, expected) in [
            (0, -1, 0..4),
            (-3, 2, 1..3),
            (-9, 9, 0..4),
            (3, 1, 3..3),
            (9, 12, 4..4),
            (0, -9, 0..0),
            (i64::MIN, i64::MAX, 0..4),
        ] {
            assert_eq!(IndexBounds { start, stop }.within(4), expected, "{start} {stop}");
        }
    }
}
