//! Members with their scores, as replies show them.

use std::iter::Rev;

use keyspace::SortedSet;
use keyspace::value::sorted_set::{Range, Score};
use resp::{Protocol, ReplyWriter};

/// Which way the scores go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// The members of some ranks in either direction.
pub(super) enum Walk<'a> {
    Up(Range<'a>),
    Down(Rev<Range<'a>>),
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        set: &'a SortedSet,
        ranks: std::ops::Range<usize>,
        direction: Direction,
    ) -> Self {
        match direction {
            Direction::Ascending => Walk::Up(set.range(ranks)),
            Direction::Descending => Walk::Down(set.range(ranks).rev()),
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a [u8], Score);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Walk::Up(range) => range.next(),
            Walk::Down(range) => range.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Walk::Up(range) => range.size_hint(),
            Walk::Down(range) => range.size_hint(),
        }
    }
}

impl ExactSizeIterator for Walk<'_> {}

/// What of each member a reply tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Member,
    MemberAndScore,
}

pub(super) fn write_members<'a>(
    reply: &mut ReplyWriter,
    members: impl ExactSizeIterator<Item = (&'a [u8], Score)>,
    shown: Shown,
) {
    match (shown, reply.protocol()) {
        (Shown::Member, _) => {
            reply.array(members.len());
            members.for_each(|(member, _)| reply.bulk(member));
        }
        (Shown::MemberAndScore, Protocol::Resp2) => write_flat(reply, members),
        (Shown::MemberAndScore, Protocol::Resp3) => write_pairs(reply, members),
    }
}

/// One array of members, each followed by its score.
pub(super) fn write_flat<'a>(
    reply: &mut ReplyWriter,
    members: impl ExactSizeIterator<Item = (&'a [u8], Score)>,
) {
    reply.array(2 * members.len());
    for (member, score) in members {
        reply.bulk(member);
        reply.double(score);
    }
}

/// An array of pairs.
pub(super) fn write_pairs<'a>(
    reply: &mut ReplyWriter,
    members: impl ExactSizeIterator<Item = (&'a [u8], Score)>,
) {
    reply.array(members.len());
    for (member, score) in members {
        reply.array(2);
        reply.bulk(member);
        reply.double(score);
    }
}
