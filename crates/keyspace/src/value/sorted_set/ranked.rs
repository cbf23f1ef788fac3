use super::cut::Cut;
use super::rank_tree::{Entry, RankTree};
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
                self.order.remove(self.partition(Cut::BeforeEntry(old, member)));
                self.order(score, member, position);
                self.members.update(position, |scored| scored.score = score);
                Insertion::Updated
            }
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.score(member) else { return false };
        self.remove_rank(self.partition(Cut::BeforeEntry(score, member)));
        true
    }

    pub(super) fn remove_rank(&mut self, rank: usize) -> Scored {
        let position = self.order.remove(rank).position;
        let last = self.members.len() - 1;
        if position as usize != last {
            // The hash table is about to fill the hole with its last member.
            let moved = self.members.at(last);
            let rank = self.partition(Cut::BeforeEntry(moved.score, &moved.member));
            self.order.relocate(rank, position);
        }
        self.members.remove(position as usize)
    }

    pub(super) fn partition(&self, cut: Cut<'_>) -> usize {
        self.order.partition(|entry| cut.follows(entry.score, || self.member(entry)))
    }

    pub(super) fn read(&self, entry: &Entry) -> (&[u8], Score) {
        // The table's score, not the tree's: they are equal, but the member lies beside the former.
        let scored = self.members.at(entry.position as usize);
        (&scored.member, scored.score)
    }

    fn member(&self, entry: &Entry) -> &[u8] {
        &self.members.at(entry.position as usize).member
    }

    fn order(&mut self, score: Score, member: &[u8], position: usize) {
        let position = u32::try_from(position).expect("a collection has fewer than 2^32 items");
        let cut = Cut::BeforeEntry(score, member);
        let members = &self.members;
        self.order.insert(Entry { score, position }, |entry| {
            cut.follows(entry.score, || &members.at(entry.position as usize).member)
        });
    }
}
