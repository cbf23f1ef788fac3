//! Sorted sets. Every kind of range is one of ranks: bounds are turned into ranks, and ranks are counted, walked or
//! removed.

mod cut;
mod rank_tree;
mod ranked;

use std::ops::Bound;

use self::cut::Cut;
pub use self::cut::LexBound;
use self::rank_tree::Entry;
use self::ranked::Ranked;
use super::Limits;
use super::packed::{Items, PACKED_SIZE_MAX, Packed, Place};
use super::sample;

/// Never a NaN: callers refuse it. Zero and minus zero are equal.
pub type Score = f64;

/// Members by score, and by their bytes where scores are equal: packed in that order while few and short, then a hash
/// table with a tree that counts.
#[derive(Clone, Debug, Default)]
pub struct SortedSet {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    // Invariant: members at even indexes in order, each followed by its score's eight bytes.
    Packed(Packed),
    Ranked(Box<Ranked>),
}

impl Default for Form {
    fn default() -> Self {
        Form::Packed(Packed::default())
    }
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    Added,
    Updated,
    /// The member had this score.
    Unchanged,
}

impl SortedSet {
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Ranked(ranked) => ranked.members.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Packed(_) => "listpack",
            Form::Ranked(_) => "skiplist",
        }
    }

    pub fn score(&self, member: &[u8]) -> Option<Score> {
        match &self.form {
            Form::Packed(packed) => Some(find(packed, member)?.score),
            Form::Ranked(ranked) => ranked.score(member),
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }

    /// How many come before this member. From the other end it is `len() - 1 -` this.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Packed(packed) => Some(find(packed, member)?.rank),
            Form::Ranked(ranked) => {
                Some(ranked.partition(Cut::BeforeEntry(ranked.score(member)?, member)))
            }
        }
    }

    pub fn insert(&mut self, member: &[u8], score: Score, limits: &Limits) -> Insertion {
        debug_assert!(!score.is_nan());
        if member.len() > limits.zset_max_listpack_value {
            self.spread();
        }
        let insertion = match &mut self.form {
            Form::Packed(packed) => insert_packed(packed, member, score),
            Form::Ranked(ranked) => ranked.insert(member, score),
        };
        if let Form::Packed(packed) = &self.form
            && (packed.len() / 2 > limits.zset_max_listpack_entries
                || packed.size() > PACKED_SIZE_MAX)
        {
            self.spread();
        }
        insertion
    }

    /// Returns whether the member was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(packed) => {
                let Some(found) = find(packed, member) else { return false };
                packed.remove(found.place, 2);
                true
            }
            Form::Ranked(ranked) => ranked.remove(member),
        }
    }

    pub fn pop_min(&mut self) -> Option<(Box<[u8]>, Score)> {
        self.pop(0)
    }

    pub fn pop_max(&mut self) -> Option<(Box<[u8]>, Score)> {
        self.pop(self.len().checked_sub(1)?)
    }

    /// Removes the members of some ranks and returns how many there were.
    pub fn remove_ranks(&mut self, ranks: std::ops::Range<usize>) -> usize {
        let ranks = ranks.start..ranks.end.min(self.len());
        match &mut self.form {
            Form::Packed(packed) => packed.remove(packed.place(2 * ranks.start), 2 * ranks.len()),
            Form::Ranked(ranked) => {
                for rank in ranks.clone().rev() {
                    ranked.remove_rank(rank);
                }
            }
        }
        ranks.len()
    }

    /// The ranks of the scores within bounds.
    pub fn score_ranks(&self, min: Bound<Score>, max: Bound<Score>) -> std::ops::Range<usize> {
        self.between(Cut::score_min(min), Cut::score_max(max))
    }

    /// The ranks of the members within bounds, if all have the same score.
    pub fn lex_ranks(&self, min: LexBound<'_>, max: LexBound<'_>) -> std::ops::Range<usize> {
        self.between(Cut::lex_min(min), Cut::lex_max(max))
    }

    /// Members with their scores, lowest first.
    pub fn iter(&self) -> Range<'_> {
        self.range(0..self.len())
    }

    /// The members of some ranks with their scores, from either end.
    pub fn range(&self, ranks: std::ops::Range<usize>) -> Range<'_> {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        match &self.form {
            Form::Packed(packed) => {
                Range { walk: Walk::Packed(packed.items_between(2 * ranks.start, 2 * end)), ranks }
            }
            Form::Ranked(ranked) => {
                Range { walk: Walk::Ranked { ranked, front: &[], back: &[] }, ranks }
            }
        }
    }

    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], Score)> {
        if self.is_empty() {
            return None;
        }
        Some(self.at(sample::below(self.len(), random)))
    }

    /// `count` different members with their scores, or all.
    pub fn random_distinct(
        &self,
        count: usize,
        random: &mut dyn FnMut() -> u64,
    ) -> Vec<(&[u8], Score)> {
        sample::distinct(self.len(), count, random)
            .into_iter()
            .map(|index| self.at(index))
            .collect()
    }

    /// Visits about `count` members from a cursor and returns the next one; 0 begins and ends. A packed set is visited
    /// whole. A member that is there from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], Score)) -> u64 {
        match &self.form {
            Form::Packed(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
            Form::Ranked(ranked) => {
                ranked.members.scan(cursor, count, |scored| visit(&scored.member, scored.score))
            }
        }
    }

    /// An estimate of its bytes.
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.memory(),
            Form::Ranked(ranked) => {
                size_of_val(&**ranked) + ranked.members.memory() + ranked.order.memory()
            }
        }
    }

    /// How many allocations end with it.
    pub fn work(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Ranked(ranked) => 1 + ranked.members.work() + ranked.order.allocations(),
        }
    }

    fn pop(&mut self, rank: usize) -> Option<(Box<[u8]>, Score)> {
        if let Form::Ranked(ranked) = &mut self.form {
            if rank >= ranked.members.len() {
                return None;
            }
            let popped = ranked.remove_rank(rank);
            return Some((popped.member, popped.score));
        }
        let (member, score) = self.range(rank..rank + 1).next()?;
        let member = member.into();
        self.remove_ranks(rank..rank + 1);
        Some((member, score))
    }

    fn between(&self, start: Cut<'_>, end: Cut<'_>) -> std::ops::Range<usize> {
        let start = self.partition(start);
        start..self.partition(end).max(start)
    }

    fn partition(&self, cut: Cut<'_>) -> usize {
        match &self.form {
            Form::Packed(packed) => partition(packed, cut),
            Form::Ranked(ranked) => ranked.partition(cut),
        }
    }

    /// By rank while packed, else in no order: enough for chance.
    fn at(&self, index: usize) -> (&[u8], Score) {
        match &self.form {
            Form::Packed(packed) => {
                let (member, next) = packed.read(packed.place(2 * index));
                (member, read_score(packed.read(next).0))
            }
            Form::Ranked(ranked) => {
                let scored = ranked.members.at(index);
                (&scored.member, scored.score)
            }
        }
    }

    /// Takes the big form, for good.
    fn spread(&mut self) {
        if let Form::Packed(_) = self.form {
            let mut ranked = Ranked::default();
            for (member, score) in self.iter() {
                ranked.insert(member, score);
            }
            self.form = Form::Ranked(Box::new(ranked));
        }
    }
}

/// Members with their scores in order, from either end.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    ranks: std::ops::Range<usize>,
    walk: Walk<'a>,
}

#[derive(Clone, Debug)]
enum Walk<'a> {
    Packed(Items<'a>),
    /// What remains of the leaves at both ends. They may reach beyond the ranks, which decide when to stop.
    Ranked {
        ranked: &'a Ranked,
        front: &'a [Entry],
        back: &'a [Entry],
    },
}

impl<'a> Iterator for Range<'a> {
    type Item = (&'a [u8], Score);

    fn next(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next()?;
        match &mut self.walk {
            Walk::Packed(items) => Some((items.next()?, read_score(items.next()?))),
            Walk::Ranked { ranked, front, .. } => {
                if front.is_empty() {
                    *front = ranked.order.leaf(rank).1;
                }
                let (entry, rest) = front.split_first()?;
                *front = rest;
                Some(ranked.read(entry))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        match &mut self.walk {
            Walk::Packed(items) => {
                let score = read_score(items.next_back()?);
                Some((items.next_back()?, score))
            }
            Walk::Ranked { ranked, back, .. } => {
                if back.is_empty() {
                    let (before, from) = ranked.order.leaf(rank);
                    *back = before;
                    return Some(ranked.read(from.first()?));
                }
                let (entry, rest) = back.split_last()?;
                *back = rest;
                Some(ranked.read(entry))
            }
        }
    }
}

impl ExactSizeIterator for Range<'_> {}

/// A packed member.
struct Found {
    place: Place,
    rank: usize,
    score: Score,
}

fn find(packed: &Packed, member: &[u8]) -> Option<Found> {
    let mut members = packed.places().step_by(2).enumerate();
    let (rank, (place, _)) = members.find(|&(_, (_, item))| item == member)?;
    let (_, next) = packed.read(place);
    Some(Found { place, rank, score: read_score(packed.read(next).0) })
}

fn insert_packed(packed: &mut Packed, member: &[u8], score: Score) -> Insertion {
    let found = find(packed, member);
    if let Some(found) = &found {
        if found.score == score {
            return Insertion::Unchanged;
        }
        packed.remove(found.place, 2);
    }
    let rank = partition(packed, Cut::BeforeEntry(score, member));
    packed.insert(packed.place(2 * rank), &[member, &score.to_le_bytes()]);
    if found.is_some() { Insertion::Updated } else { Insertion::Added }
}

fn partition(packed: &Packed, cut: Cut<'_>) -> usize {
    let mut items = packed.items();
    let mut rank = 0;
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        if !cut.follows(read_score(score), |bound| member.cmp(bound)) {
            break;
        }
        rank += 1;
    }
    rank
}

fn read_score(bytes: &[u8]) -> Score {
    Score::from_le_bytes(bytes.try_into().expect("a score has eight bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::value::testing::Random;

    const DEFAULT: Limits = Limits::DEFAULT;
    const RANKED: Limits = Limits { zset_max_listpack_entries: 0, ..DEFAULT };

    type Model = BTreeMap<Vec<u8>, Score>;

    fn ordered(model: &Model) -> Vec<(&[u8], Score)> {
        let mut entries: Vec<_> =
            model.iter().map(|(member, &score)| (member.as_slice(), score)).collect();
        entries.sort_by(|one, other| one.1.partial_cmp(&other.1).unwrap().then(one.0.cmp(other.0)));
        entries
    }

    /// Members that are the bytes of their scores.
    fn scored(count: u32) -> SortedSet {
        let mut set = SortedSet::default();
        for member in 0..count {
            set.insert(&member.to_le_bytes(), member.into(), &DEFAULT);
        }
        set
    }

    fn members<'a>(range: impl Iterator<Item = (&'a [u8], Score)>) -> Vec<&'a str> {
        range.map(|(member, _)| str::from_utf8(member).unwrap()).collect()
    }

    #[test]
    fn one_member_too_many_or_one_byte_too_many_makes_a_skiplist() {
        let mut set = scored(128);
        assert_eq!(set.encoding(), "listpack");
        set.insert(b"one more", 0.0, &DEFAULT);
        assert_eq!(set.encoding(), "skiplist");

        let mut set = SortedSet::default();
        set.insert(&[0; 64], 0.0, &DEFAULT);
        assert_eq!(set.encoding(), "listpack");
        set.insert(&[0; 65], 0.0, &DEFAULT);
        assert_eq!(set.encoding(), "skiplist");
    }

    #[test]
    fn zero_and_minus_zero_are_one_score_whose_first_sign_stays() {
        for limits in [DEFAULT, RANKED] {
            let mut set = SortedSet::default();
            set.insert(b"b", -0.0, &limits);
            set.insert(b"a", 0.0, &limits);
            assert_eq!(members(set.iter()), ["a", "b"]);
            assert_eq!(set.insert(b"b", 0.0, &limits), Insertion::Unchanged);
            assert!(set.score(b"b").unwrap().is_sign_negative());
            assert_eq!(set.score_ranks(Bound::Included(0.0), Bound::Included(-0.0)), 0..2);
        }
    }

    #[test]
    fn bounds_include_exclude_and_reach_infinity() {
        for limits in [DEFAULT, RANKED] {
            let mut set = SortedSet::default();
            for (member, score) in
                [("min", f64::NEG_INFINITY), ("a", 1.0), ("b", 2.0), ("max", f64::INFINITY)]
            {
                set.insert(member.as_bytes(), score, &limits);
            }
            let ranks = |min, max| members(set.range(set.score_ranks(min, max)));
            assert_eq!(ranks(Bound::Included(1.0), Bound::Excluded(2.0)), ["a"]);
            assert_eq!(ranks(Bound::Excluded(1.0), Bound::Included(2.0)), ["b"]);
            assert_eq!(
                ranks(Bound::Excluded(f64::NEG_INFINITY), Bound::Excluded(f64::INFINITY)),
                ["a", "b"]
            );
            assert_eq!(ranks(Bound::Included(f64::NEG_INFINITY), Bound::Unbounded).len(), 4);
            assert_eq!(ranks(Bound::Included(2.0), Bound::Included(1.0)).len(), 0);
        }
    }

    #[test]
    fn members_of_one_score_range_by_their_bytes() {
        for limits in [DEFAULT, RANKED] {
            let mut set = SortedSet::default();
            for member in ["a", "ab", "b", "c", ""] {
                set.insert(member.as_bytes(), 0.0, &limits);
            }
            let ranks = |min, max| members(set.range(set.lex_ranks(min, max)));
            assert_eq!(ranks(LexBound::Min, LexBound::Max), ["", "a", "ab", "b", "c"]);
            assert_eq!(ranks(LexBound::Excluded(b"a"), LexBound::Included(b"b")), ["ab", "b"]);
            assert_eq!(ranks(LexBound::Included(b"aa"), LexBound::Excluded(b"c")), ["ab", "b"]);
            assert_eq!(ranks(LexBound::Max, LexBound::Min).len(), 0);
        }
    }

    #[test]
    fn any_mix_of_changes_is_that_of_a_sorted_map() {
        for seed in 1..30 {
            let mut random = Random::seeded(seed);
            let limits = Limits { zset_max_listpack_entries: 20, ..DEFAULT };
            let mut set = SortedSet::default();
            let mut model = Model::new();
            let range = 4 << random.below(11);
            let scores = [3, 1_000_000][random.below(2) as usize];
            for step in 0..3_000 {
                let prefix = ["", "long "][random.below(2) as usize];
                let member = format!("{prefix}{}", random.below(range)).into_bytes();
                let score = random.below(scores) as Score - 1.0;
                match random.below(20) {
                    0..14 => {
                        let expected = match model.insert(member.clone(), score) {
                            None => Insertion::Added,
                            Some(old) if old == score => Insertion::Unchanged,
                            Some(_) => Insertion::Updated,
                        };
                        assert_eq!(set.insert(&member, score, &limits), expected);
                    }
                    14..18 => assert_eq!(set.remove(&member), model.remove(&member).is_some()),
                    18 => {
                        let popped = if step % 2 == 0 { set.pop_min() } else { set.pop_max() };
                        let entries = ordered(&model);
                        let expected = if step % 2 == 0 { entries.first() } else { entries.last() };
                        assert_eq!(
                            popped.as_ref().map(|(member, score)| (&**member, *score)),
                            expected.copied()
                        );
                        if let Some((member, _)) = popped {
                            model.remove(&*member);
                        }
                    }
                    _ if step % 10 == 0 => {
                        let start = random.below(model.len() as u64 + 1) as usize;
                        let end = start + random.below(20) as usize;
                        let doomed: Vec<_> = ordered(&model)
                            .into_iter()
                            .skip(start)
                            .take(end - start)
                            .map(|one| one.0.to_vec())
                            .collect();
                        assert_eq!(set.remove_ranks(start..end), doomed.len());
                        model.retain(|member, _| !doomed.contains(member));
                    }
                    _ => {}
                }
                assert_eq!(set.len(), model.len());
                assert_eq!(set.score(&member), model.get(&member).copied());
                if step % 30 > 0 {
                    continue;
                }
                let entries = ordered(&model);
                assert!(set.iter().eq(entries.iter().copied()));
                assert!(set.iter().rev().eq(entries.iter().rev().copied()));
                assert_eq!(set.rank(&member), entries.iter().position(|entry| entry.0 == member));
                let (start, end) = (entries.len() / 3, entries.len() * 2 / 3);
                assert!(set.range(start..end).rev().eq(entries[start..end].iter().rev().copied()));
                let ranks = set.score_ranks(Bound::Excluded(score), Bound::Included(score + 500.0));
                let within = entries
                    .iter()
                    .filter(|entry| entry.1 > score && entry.1 <= score + 500.0)
                    .count();
                assert_eq!(ranks.len(), within);
            }
        }
    }

    #[test]
    fn a_range_met_from_both_ends_yields_each_member_once() {
        for count in [100u32, 5_000] {
            let set = scored(count);
            let mut random = Random::seeded(11);
            let (mut front, mut back) = (count / 10, count - 7);
            let mut range = set.range(front as usize..back as usize);
            while front < back {
                if random.below(2) == 0 {
                    assert_eq!(range.next().unwrap().1, f64::from(front));
                    front += 1;
                } else {
                    back -= 1;
                    assert_eq!(range.next_back().unwrap().1, f64::from(back));
                }
            }
            assert_eq!((range.next(), range.next_back()), (None, None));
        }
    }

    #[test]
    fn a_scan_returns_all_that_stays_while_the_rest_goes() {
        let mut set = scored(3_000);
        let mut random = Random::seeded(12);
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, 10, |member, _| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..10 {
                set.remove(&(1_000 + random.below(2_000) as u32).to_le_bytes());
            }
        }
        assert!((0..1_000u32).all(|member| seen.contains(member.to_le_bytes().as_slice())));
    }

    #[test]
    fn random_members_come_with_their_scores() {
        let mut random = Random::seeded(13);
        for count in [50u32, 500] {
            let set = scored(count);
            let chosen = set.random_distinct(9, &mut || random.next());
            let different: BTreeSet<_> = chosen.iter().map(|(member, _)| member).collect();
            assert_eq!(different.len(), 9);
            let (member, score) = set.random(&mut || random.next()).unwrap();
            assert_eq!(set.score(member), Some(score));
        }
    }
}
