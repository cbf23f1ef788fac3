//! Counts among the arguments, and the texts with which Redis refuses them.

use std::ops::RangeBounds;

use command_spec::{ArgError, Args};
use resp::parse_integer;

use crate::error::fail;
use crate::{Error, Result};

/// How many elements to pop: none is a number too.
pub(crate) fn pop_count(text: &[u8]) -> Result<usize> {
    count_within(text, 0.., "ERR value is out of range, must be positive")
}

/// [COUNT count] at the end of a pop from the first of several keys.
pub(crate) fn pop_count_of_first(mut args: Args) -> Result<usize> {
    let mut count = 1;
    if args.keyword("COUNT") {
        count = count_within(args.bytes()?, 1.., "ERR count should be greater than 0")?;
    }
    args.finish()?;
    Ok(count)
}

pub(crate) fn number_of_keys(text: &[u8]) -> Result<usize> {
    count_within(text, 1.., "ERR numkeys should be greater than 0")
}

/// LIMIT of a cardinality; 0 is no limit.
pub(crate) fn cardinality_limit(text: &[u8]) -> Result<usize> {
    let limit = count_within(text, 0.., "ERR LIMIT can't be negative")?;
    Ok(if limit == 0 { usize::MAX } else { limit })
}

pub(crate) fn count_within(
    text: &[u8],
    range: impl RangeBounds<i64>,
    refusal: &'static str,
) -> Result<usize> {
    parse_integer(text)
        .filter(|count| range.contains(count))
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| Error::text(refusal).into())
}

/// A count whose sign says how to count: any integer but the least, which has no positive twin.
pub(crate) fn signed_count(text: &[u8]) -> Result<i64> {
    let count = parse_integer(text).ok_or(ArgError::NotInteger)?;
    if count == i64::MIN {
        return fail(
            "ERR value is out of range, \
             value must between -9223372036854775807 and 9223372036854775807",
        );
    }
    Ok(count)
}

/// How many random elements are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SampleSize {
    /// Different ones, as far as there are so many.
    Distinct(usize),
    /// Exactly as many, some of them more than once.
    Repeated(usize),
}

impl SampleSize {
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let count = signed_count(text)?;
        let size = count.unsigned_abs() as usize;
        Ok(if count < 0 { SampleSize::Repeated(size) } else { SampleSize::Distinct(size) })
    }

    pub(crate) fn count(self) -> usize {
        match self {
            SampleSize::Distinct(count) | SampleSize::Repeated(count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SampleSize, cardinality_limit, number_of_keys, pop_count, signed_count};

    #[test]
    fn counts_are_refused_outside_their_range() {
        assert_eq!(pop_count(b"0"), Ok(0));
        assert!(pop_count(b"-1").is_err() && pop_count(b"many").is_err());
        assert!(number_of_keys(b"0").is_err());
        assert_eq!(cardinality_limit(b"0"), Ok(usize::MAX));
    }

    #[test]
    fn only_the_least_integer_has_too_much_of_a_sign() {
        assert_eq!(signed_count(b"-9223372036854775807"), Ok(-i64::MAX));
        assert!(signed_count(b"-9223372036854775808").is_err());
    }

    #[test]
    fn a_negative_sample_repeats_itself() {
        assert_eq!(SampleSize::parse(b"-3"), Ok(SampleSize::Repeated(3)));
        assert_eq!(SampleSize::parse(b"3"), Ok(SampleSize::Distinct(3)));
    }
}
