use std::cmp::Ordering;

use super::cut::Cut;
use super::rank_tree::{Entry, Last, Prefix, Rank, RankTree};
use super::{Insertion, Score};
use crate::value::hash_table::{HashTable, Keyed, Lookup, allocated};

/// The big form: members with their scores in a hash table, and a tree that has them in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    pub(super) members: HashTable<Scored>,
    // Invariant: one entry for each member, with its score and its position in the table.
    pub(super) order: RankTree,
}

#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) score: Score,
    pub(super) member: Box<[u8]>,
}

impl Keyed for Scored {
    fn key(&self) -> &[u8] {
        &self.member
    }

    fn owned(&self) -> usize {
        allocated(self.member.len())
    }
}

impl Ranked {
    pub(super) fn score(&self, member: &[u8]) -> Option<Score> {
        Some(self.members.at(self.members.find(member)?).score)
    }

    pub(super) fn insert(&mut self, member: &[u8], score: Score) -> Insertion {
        match self.members.lookup(member) {
            Lookup::Vacant(vacancy) => {
                let position =
                    self.members.insert(vacancy, Scored { score, member: member.into() });
                self.order(score, member, position);
                Insertion::Added
            }
            Lookup::Occupied(position) => {
                let old = self.members.at(position).score;
                if old == score {
                    return Insertion::Unchanged;
                }
                self.unorder(old, member);
                self.order(score, member, position);
                self.members.update(position, |scored| scored.score = score);
                Insertion::Updated
            }
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.score(member) else { return false };
        let entry = self.unorder(score, member);
        self.remove_member(entry);
        true
    }

    pub(super) fn remove_rank(&mut self, rank: usize) -> Scored {
        let entry = self.order.remove(Rank(rank));
        self.remove_member(entry)
    }

    pub(super) fn partition(&self, cut: Cut<'_>) -> usize {
        self.order.partition(|entry| {
            cut.follows(entry.score, |bound| compare(&self.members, entry, bound))
        })
    }

    pub(super) fn read(&self, entry: &Entry) -> (&[u8], Score) {
        // The table's score, not the tree's: they are equal, but the member lies beside the former.
        let scored = self.members.at(entry.position as usize);
        (&scored.member, scored.score)
    }

    /// Removes from the table what has left the tree. The last member is about to fill the hole.
    fn remove_member(&mut self, entry: Entry) -> Scored {
        let last = self.members.len() - 1;
        if entry.position as usize != last {
            let members = &self.members;
            let moved = members.at(last);
            let cut = Cut::AfterEntry(moved.score, &moved.member);
            let seek = Last(|entry: &Entry| {
                cut.follows(entry.score, |bound| compare(members, entry, bound))
            });
            self.order.relocate(seek, to_u32(last), entry.position);
        }
        self.members.remove(entry.position as usize)
    }

    fn order(&mut self, score: Score, new: &[u8], position: usize) {
        let cut = Cut::BeforeEntry(score, new);
        let members = &self.members;
        let entry = Entry { score, position: to_u32(position), prefix: Prefix::of(new) };
        self.order.insert(entry, |entry| {
            cut.follows(entry.score, |bound| compare(members, entry, bound))
        });
    }

    fn unorder(&mut self, score: Score, old: &[u8]) -> Entry {
        let cut = Cut::AfterEntry(score, old);
        let members = &self.members;
        self.order.remove(Last(|entry: &Entry| {
            cut.follows(entry.score, |bound| compare(members, entry, bound))
        }))
    }
}

/// How the member of an entry compares to a bound.
#[inline]
fn compare(members: &HashTable<Scored>, entry: &Entry, bound: &[u8]) -> Ordering {
    let member = || &*members.at(entry.position as usize).member;
    entry.prefix.cmp(&Prefix::of(bound)).then_with(|| member().cmp(bound))
}

fn to_u32(position: usize) -> u32 {
    u32::try_from(position).expect("a collection has fewer than 2^32 items")
}
