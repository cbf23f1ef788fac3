use std::cmp::Ordering;
use std::ops::Bound;

/// An end of a range of members that share a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before every member.
    Min,
    /// After every member.
    Max,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

/// A point between two entries in the order of scores, and of members where scores are equal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut<'a> {
    Start,
    End,
    BeforeScore(f64),
    AfterScore(f64),
    BeforeEntry(f64, &'a [u8]),
    AfterEntry(f64, &'a [u8]),
    BeforeMember(&'a [u8]),
    AfterMember(&'a [u8]),
}

impl<'a> Cut<'a> {
    /// Whether an entry precedes this point. How its member compares is only asked where that decides.
    #[inline]
    pub(super) fn follows(&self, score: f64, compare: impl FnOnce(&[u8]) -> Ordering) -> bool {
        match *self {
            Cut::Start => false,
            Cut::End => true,
            Cut::BeforeScore(bound) => score < bound,
            Cut::AfterScore(bound) => score <= bound,
            Cut::BeforeEntry(bound, member) => {
                score < bound || score == bound && compare(member).is_lt()
            }
            Cut::AfterEntry(bound, member) => {
                score < bound || score == bound && compare(member).is_le()
            }
            Cut::BeforeMember(member) => compare(member).is_lt(),
            Cut::AfterMember(member) => compare(member).is_le(),
        }
    }

    pub(super) fn score_min(bound: Bound<f64>) -> Self {
        match bound {
            Bound::Unbounded => Cut::Start,
            Bound::Included(score) => Cut::BeforeScore(score),
            Bound::Excluded(score) => Cut::AfterScore(score),
        }
    }

    pub(super) fn score_max(bound: Bound<f64>) -> Self {
        match bound {
            Bound::Unbounded => Cut::End,
            Bound::Included(score) => Cut::AfterScore(score),
            Bound::Excluded(score) => Cut::BeforeScore(score),
        }
    }

    pub(super) fn lex_min(bound: LexBound<'a>) -> Self {
        match bound {
            LexBound::Min => Cut::Start,
            LexBound::Max => Cut::End,
            LexBound::Included(member) => Cut::BeforeMember(member),
            LexBound::Excluded(member) => Cut::AfterMember(member),
        }
    }

    pub(super) fn lex_max(bound: LexBound<'a>) -> Self {
        match bound {
            LexBound::Min => Cut::Start,
            LexBound::Max => Cut::End,
            LexBound::Included(member) => Cut::AfterMember(member),
            LexBound::Excluded(member) => Cut::BeforeMember(member),
        }
    }
}
