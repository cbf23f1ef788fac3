use std::ops::{Bound, Range};

use command_spec::{ArgError, Args};
use keyspace::SortedSet;
use keyspace::value::sorted_set::{LexBound, Score};

use super::bounds::{IndexBounds, lex_bounds, score_bounds};
use super::members::{Direction, Shown, Walk};
use crate::error::fail;
use crate::{Error, Result};

/// By what members are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Index,
    Score,
    Lex,
}

/// What a command's name settles; the rest is options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub(super) by: Option<By>,
    pub(super) direction: Option<Direction>,
    pub(super) shown: Option<Shown>,
}

/// Which members ZRANGE and its kin are about, in which order.
pub(super) struct RangeQuery<'a> {
    choice: Choice<'a>,
    direction: Direction,
    limit: Limit,
    pub(super) shown: Shown,
}

enum Choice<'a> {
    Indexes(IndexBounds),
    Scores(Bound<Score>, Bound<Score>),
    Members(LexBound<'a>, LexBound<'a>),
}

/// LIMIT offset count: a negative offset leaves nothing, a negative count leaves all.
#[derive(Clone, Copy)]
struct Limit {
    offset: i64,
    count: i64,
}

impl Limit {
    const NONE: Limit = Limit { offset: 0, count: -1 };
}

impl<'a> RangeQuery<'a> {
    /// min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
    pub(super) fn parse(mut args: Args<'a>, settled: Settled) -> Result<Self> {
        let mut ends = Args::new(args.take(2)?);
        let Settled { mut by, mut direction, mut shown } = settled;
        let mut limit = Limit::NONE;
        while !args.is_empty() {
            if settled.shown.is_none() && args.keyword("WITHSCORES") {
                shown = Some(Shown::MemberAndScore);
            } else if args.len() > 2 && args.keyword("LIMIT") {
                limit = Limit { offset: args.integer()?, count: args.integer()? };
            } else if direction.is_none() && args.keyword("REV") {
                direction = Some(Direction::Descending);
            } else if by.is_none() && args.keyword("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && args.keyword("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::Argument(ArgError::Syntax).into());
            }
        }
        let by = by.unwrap_or(By::Index);
        let direction = direction.unwrap_or(Direction::Ascending);
        let shown = shown.unwrap_or(Shown::Member);
        if by == By::Index && limit.count != -1 {
            return fail(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            );
        }
        if by == By::Lex && shown == Shown::MemberAndScore {
            return fail("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        }

        let choice = match by {
            By::Index => Choice::Indexes(IndexBounds::parse(&mut ends)?),
            By::Score | By::Lex => {
                let (first, last) = (ends.bytes()?, ends.bytes()?);
                // Who asks for descending order names the upper end first.
                let (min, max) = match direction {
                    Direction::Ascending => (first, last),
                    Direction::Descending => (last, first),
                };
                if by == By::Score {
                    let (min, max) = score_bounds(min, max)?;
                    Choice::Scores(min, max)
                } else {
                    let (min, max) = lex_bounds(min, max)?;
                    Choice::Members(min, max)
                }
            }
        };
        Ok(RangeQuery { choice, direction, limit, shown })
    }

    pub(super) fn walk<'s>(&self, set: &'s SortedSet) -> Walk<'s> {
        Walk::new(set, self.ranks(set), self.direction)
    }

    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        match self.choice {
            Choice::Indexes(bounds) => {
                let indexes = bounds.within(set.len());
                match self.direction {
                    Direction::Ascending => indexes,
                    Direction::Descending => set.len() - indexes.end..set.len() - indexes.start,
                }
            }
            Choice::Scores(min, max) => self.limited(set.score_ranks(min, max)),
            Choice::Members(min, max) => self.limited(set.lex_ranks(min, max)),
        }
    }

    fn limited(&self, ranks: Range<usize>) -> Range<usize> {
        let skipped = usize::try_from(self.limit.offset).unwrap_or(ranks.len()).min(ranks.len());
        let left = ranks.len() - skipped;
        let count = usize::try_from(self.limit.count).map_or(left, |count| count.min(left));
        match self.direction {
            Direction::Ascending => ranks.start + skipped..ranks.start + skipped + count,
            Direction::Descending => ranks.end - skipped - count..ranks.end - skipped,
        }
    }
}
