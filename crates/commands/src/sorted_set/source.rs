use keyspace::value::set::Member;
use keyspace::value::sorted_set::Score;
use keyspace::{Database, Object, Set, SortedSet, ValueRef};

use crate::{Error, Result};

/// An input of ZUNION and its kin: a sorted set, or a set whose members all have the score 1.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    elements: Elements<'a>,
    pub(super) weight: Score,
}

#[derive(Clone, Copy)]
enum Elements<'a> {
    None,
    Set(&'a Set),
    SortedSet(&'a SortedSet),
}

impl<'a> Source<'a> {
    /// The inputs at several keys, each of weight 1.
    pub(super) fn read_each(database: &'a mut Database, keys: &[&[u8]]) -> Result<Vec<Source<'a>>> {
        let source = |value| {
            let elements = match value {
                None => Elements::None,
                Some(ValueRef::Object(Object::Set(set))) => Elements::Set(set),
                Some(ValueRef::Object(Object::SortedSet(set))) => Elements::SortedSet(set),
                Some(_) => return Err(Error::WrongType.into()),
            };
            Ok(Source { elements, weight: 1.0 })
        };
        database.read_each(keys).into_iter().map(source).collect()
    }

    pub(super) fn len(&self) -> usize {
        match self.elements {
            Elements::None => 0,
            Elements::Set(set) => set.len(),
            Elements::SortedSet(set) => set.len(),
        }
    }

    pub(super) fn contains(&self, member: &[u8]) -> bool {
        match self.elements {
            Elements::None => false,
            Elements::Set(set) => set.contains(member),
            Elements::SortedSet(set) => set.contains(member),
        }
    }

    /// The score of a member, weighted.
    pub(super) fn score(&self, member: &[u8]) -> Option<Score> {
        let score = match self.elements {
            Elements::None => None,
            Elements::Set(set) => set.contains(member).then_some(1.0),
            Elements::SortedSet(set) => set.score(member),
        };
        Some(score? * self.weight)
    }

    /// Members with their scores, weighted.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Member<'a>, Score)> + use<'a> {
        let (set, sorted_set) = match self.elements {
            Elements::None => (None, None),
            Elements::Set(set) => (Some(set), None),
            Elements::SortedSet(set) => (None, Some(set)),
        };
        let weight = self.weight;
        let of_set = set.into_iter().flat_map(Set::iter).map(|member| (member, 1.0));
        let of_sorted_set = sorted_set
            .into_iter()
            .flat_map(SortedSet::iter)
            .map(|(member, score)| (Member::Bytes(member), score));
        of_set.chain(of_sorted_set).map(move |(member, score)| (member, score * weight))
    }
}
