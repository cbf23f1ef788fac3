//! A B+tree that counts: entries in order, found by rank in O(log n).
//!
//! It knows no members, only where they are; what needs their order hands in a predicate that holds for all entries
//! before some point and for none after.

const LEAF_LEN_MAX: usize = 64;
const FANOUT_MAX: usize = 64;

/// A member's score, its position in the hash table, and how it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) score: f64,
    pub(super) position: u32,
    pub(super) prefix: Prefix,
}

#[derive(Clone, Debug)]
pub(super) struct RankTree {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Entry>),
    Inner(Box<Inner>),
}

/// The first four bytes of a member, as a number that orders as they do. Where two differ, so do their members, and
/// neither has to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix(u32);

impl Prefix {
    #[inline]
    pub(super) fn of(member: &[u8]) -> Self {
        let mut bytes = [0; 4];
        let len = member.len().min(4);
        bytes[..len].copy_from_slice(&member[..len]);
        Prefix(u32::from_be_bytes(bytes))
    }
}

/// Children with what is known of them, side by side: a search reads little else.
// Invariant: all children are equally high, none is empty, and all three are equally long.
#[derive(Clone, Debug)]
struct Inner {
    firsts: Vec<Entry>,
    lens: Vec<u32>,
    children: Vec<Node>,
}

/// A child with its first entry and its number of entries.
struct Branch {
    first: Entry,
    len: u32,
    child: Node,
}

/// Where a full node is cut.
#[derive(Clone, Copy)]
enum Split {
    Middle,
    // What arrives in order leaves full nodes behind.
    End,
}

/// A way down to an entry that is there.
pub(super) trait Seek {
    fn child(&mut self, firsts: &[Entry], lens: &[u32]) -> usize;
    fn entry(&mut self, entries: &[Entry]) -> usize;
}

/// The entry of this rank.
pub(super) struct Rank(pub(super) usize);

impl Seek for Rank {
    fn child(&mut self, _: &[Entry], lens: &[u32]) -> usize {
        for (at, &len) in lens.iter().enumerate() {
            if self.0 < len as usize {
                return at;
            }
            self.0 -= len as usize;
        }
        panic!("a rank is below the number of entries");
    }

    fn entry(&mut self, _: &[Entry]) -> usize {
        self.0
    }
}

/// The last entry that a predicate holds for.
pub(super) struct Last<Predicate>(pub(super) Predicate);

impl<Predicate: FnMut(&Entry) -> bool> Seek for Last<Predicate> {
    fn child(&mut self, firsts: &[Entry], _: &[u32]) -> usize {
        self.entry(firsts)
    }

    fn entry(&mut self, entries: &[Entry]) -> usize {
        entries.partition_point(&mut self.0).checked_sub(1).expect("the entry sought is there")
    }
}

impl Default for RankTree {
    fn default() -> Self {
        RankTree { root: Node::Leaf(Vec::new()) }
    }
}

impl RankTree {
    pub(super) fn len(&self) -> usize {
        self.root.len() as usize
    }

    /// How many entries the predicate holds for.
    pub(super) fn partition(&self, mut is_before: impl FnMut(&Entry) -> bool) -> usize {
        let mut node = &self.root;
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(entries) => return rank + entries.partition_point(is_before),
                Node::Inner(inner) => {
                    let after = inner.firsts.partition_point(&mut is_before);
                    let Some(at) = after.checked_sub(1) else { return rank };
                    rank += inner.lens[..at].iter().sum::<u32>() as usize;
                    node = &inner.children[at];
                }
            }
        }
    }

    /// The leaf that holds a rank: what precedes the rank there, and the rest.
    pub(super) fn leaf(&self, rank: usize) -> (&[Entry], &[Entry]) {
        let mut node = &self.root;
        let mut rank = Rank(rank);
        loop {
            match node {
                Node::Leaf(entries) => return entries.split_at(rank.0),
                Node::Inner(inner) => {
                    node = &inner.children[rank.child(&inner.firsts, &inner.lens)]
                }
            }
        }
    }

    /// The entry goes after all that the predicate holds for.
    pub(super) fn insert(&mut self, entry: Entry, mut is_before: impl FnMut(&Entry) -> bool) {
        let split =
            if self.root.last().is_none_or(&mut is_before) { Split::End } else { Split::Middle };
        if let Some(sibling) = self.root.insert(entry, &mut is_before, split) {
            let root = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            let mut inner = Inner::new();
            inner.push(Branch::to(root));
            inner.push(sibling);
            self.root = Node::Inner(Box::new(inner));
        }
    }

    pub(super) fn remove(&mut self, mut seek: impl Seek) -> Entry {
        let removed = self.root.remove(&mut seek);
        while let Node::Inner(inner) = &mut self.root
            && inner.children.len() == 1
        {
            self.root = inner.children.remove(0);
        }
        removed
    }

    /// Tells the tree that the member of an entry has another position now.
    pub(super) fn relocate(&mut self, mut seek: impl Seek, from: u32, to: u32) {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let at = seek.entry(entries);
                    entries[at].position = to;
                    return;
                }
                Node::Inner(inner) => {
                    let at = seek.child(&inner.firsts, &inner.lens);
                    if inner.firsts[at].position == from {
                        inner.firsts[at].position = to;
                    }
                    node = &mut inner.children[at];
                }
            }
        }
    }

    /// An estimate: nodes are two thirds full.
    pub(super) fn memory(&self) -> usize {
        let in_leaf = size_of::<Entry>();
        let leaf = size_of::<Node>() + size_of::<Entry>() + size_of::<u32>();
        (self.len() * in_leaf + self.leaves() * leaf) * 3 / 2
    }

    /// An estimate likewise.
    pub(super) fn allocations(&self) -> usize {
        1 + self.leaves()
    }

    fn leaves(&self) -> usize {
        self.len() * 3 / 2 / LEAF_LEN_MAX
    }
}

impl Node {
    fn len(&self) -> u32 {
        match self {
            Node::Leaf(entries) => entries.len() as u32,
            Node::Inner(inner) => inner.lens.iter().sum(),
        }
    }

    fn first(&self) -> Option<Entry> {
        match self {
            Node::Leaf(entries) => entries.first().copied(),
            Node::Inner(inner) => inner.firsts.first().copied(),
        }
    }

    fn last(&self) -> Option<&Entry> {
        match self {
            Node::Leaf(entries) => entries.last(),
            Node::Inner(inner) => inner.children.last()?.last(),
        }
    }

    /// Returns a new right sibling if the node had to be split.
    fn insert(
        &mut self,
        entry: Entry,
        is_before: &mut dyn FnMut(&Entry) -> bool,
        split: Split,
    ) -> Option<Branch> {
        match self {
            Node::Leaf(entries) => {
                let at = entries.partition_point(is_before);
                let sibling = insert_split(entries, at, entry, LEAF_LEN_MAX, split)?;
                Some(Branch::to(Node::Leaf(sibling)))
            }
            Node::Inner(inner) => {
                let at = inner.firsts.partition_point(&mut *is_before).saturating_sub(1);
                let new = inner.children[at].insert(entry, is_before, split);
                inner.lens[at] += 1;
                inner.firsts[at] = inner.children[at].first().expect("an entry was just added");
                let new = new?;
                inner.lens[at] -= new.len;
                let sibling = inner.insert(at + 1, new, split)?;
                Some(Branch::to(Node::Inner(Box::new(sibling))))
            }
        }
    }

    fn remove(&mut self, seek: &mut dyn Seek) -> Entry {
        match self {
            Node::Leaf(entries) => entries.remove(seek.entry(entries)),
            Node::Inner(inner) => {
                let at = seek.child(&inner.firsts, &inner.lens);
                let removed = inner.children[at].remove(seek);
                inner.lens[at] -= 1;
                match inner.children[at].first() {
                    Some(first) => inner.firsts[at] = first,
                    None => drop(inner.remove(at)),
                }
                inner.merge_around(at);
                removed
            }
        }
    }

    /// Its share of what a node can hold, in percent.
    fn fill(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len() * 100 / LEAF_LEN_MAX,
            Node::Inner(inner) => inner.children.len() * 100 / FANOUT_MAX,
        }
    }
}

impl Inner {
    fn new() -> Self {
        Inner {
            firsts: Vec::with_capacity(FANOUT_MAX),
            lens: Vec::with_capacity(FANOUT_MAX),
            children: Vec::with_capacity(FANOUT_MAX),
        }
    }

    fn push(&mut self, branch: Branch) {
        self.firsts.push(branch.first);
        self.lens.push(branch.len);
        self.children.push(branch.child);
    }

    fn insert(&mut self, at: usize, branch: Branch, split: Split) -> Option<Inner> {
        let firsts = insert_split(&mut self.firsts, at, branch.first, FANOUT_MAX, split);
        let lens = insert_split(&mut self.lens, at, branch.len, FANOUT_MAX, split);
        let children = insert_split(&mut self.children, at, branch.child, FANOUT_MAX, split);
        Some(Inner { firsts: firsts?, lens: lens?, children: children? })
    }

    fn remove(&mut self, at: usize) -> Branch {
        Branch {
            first: self.firsts.remove(at),
            len: self.lens.remove(at),
            child: self.children.remove(at),
        }
    }

    /// Merges a child that has become sparse with a neighbour, unless both together would soon split again.
    fn merge_around(&mut self, at: usize) {
        let is_sparse = self.children.get(at).is_some_and(|child| child.fill() < 25);
        if !is_sparse {
            return;
        }
        let left = at.saturating_sub(1);
        let Some([one, other]) = self.children.get(left..left + 2) else { return };
        if one.fill() + other.fill() > 75 {
            return;
        }
        let other = self.remove(left + 1);
        self.lens[left] += other.len;
        match (&mut self.children[left], other.child) {
            (Node::Leaf(entries), Node::Leaf(mut more)) => entries.append(&mut more),
            (Node::Inner(inner), Node::Inner(mut more)) => {
                inner.firsts.append(&mut more.firsts);
                inner.lens.append(&mut more.lens);
                inner.children.append(&mut more.children);
            }
            _ => unreachable!("all children are equally high"),
        }
    }
}

impl Branch {
    fn to(child: Node) -> Self {
        Branch { first: child.first().expect("no child is empty"), len: child.len(), child }
    }
}

/// Inserts into a node, or if it is full into it and the sibling that is returned.
fn insert_split<T>(
    items: &mut Vec<T>,
    at: usize,
    item: T,
    len_max: usize,
    split: Split,
) -> Option<Vec<T>> {
    if items.len() < len_max {
        items.insert(at, item);
        return None;
    }
    let cut = match split {
        Split::Middle => len_max / 2,
        Split::End => len_max,
    };
    let mut sibling = Vec::with_capacity(len_max);
    sibling.extend(items.drain(cut..));
    if at < cut {
        items.insert(at, item);
    } else {
        sibling.insert(at - cut, item);
    }
    Some(sibling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::Random;

    fn entry(score: f64) -> Entry {
        Entry { score, position: score as u32, prefix: Prefix::of(b"") }
    }

    fn scores(tree: &RankTree) -> Vec<f64> {
        let mut scores = Vec::new();
        while scores.len() < tree.len() {
            scores.extend(tree.leaf(scores.len()).1.iter().map(|entry| entry.score));
        }
        scores
    }

    /// Checks every invariant and returns the height.
    fn check(node: &Node) -> usize {
        match node {
            Node::Leaf(entries) => {
                assert!(entries.len() <= LEAF_LEN_MAX);
                0
            }
            Node::Inner(inner) => {
                let count = inner.children.len();
                assert!((1..=FANOUT_MAX).contains(&count));
                assert_eq!((inner.firsts.len(), inner.lens.len()), (count, count));
                for (at, child) in inner.children.iter().enumerate() {
                    assert_eq!(Some(inner.firsts[at]), child.first());
                    assert_eq!(inner.lens[at], child.len());
                }
                let heights: Vec<usize> = inner.children.iter().map(check).collect();
                assert!(heights.iter().all(|&height| height == heights[0]));
                heights[0] + 1
            }
        }
    }

    #[test]
    fn any_mix_of_changes_is_that_of_a_sorted_vector() {
        let mut random = Random::seeded(10);
        let mut tree = RankTree::default();
        let mut model: Vec<f64> = Vec::new();
        for round in 0..8 {
            for step in 0..5_000 {
                let score = random.below(1_000_000) as f64;
                let rank = model.partition_point(|&other| other < score);
                assert_eq!(tree.partition(|entry| entry.score < score), rank);
                if random.below(10) < [9, 5, 8, 1, 0, 9, 0, 0][round] {
                    tree.insert(entry(score), |entry| entry.score < score);
                    model.insert(rank, score);
                } else if !model.is_empty() {
                    let rank = rank.min(model.len() - 1);
                    let removed = match step % 2 {
                        0 => tree.remove(Rank(rank)),
                        _ => tree.remove(Last(|entry: &Entry| entry.score <= model[rank])),
                    };
                    assert_eq!(removed.score, model.remove(rank));
                }
                assert_eq!(tree.len(), model.len());
                if step % 500 == 0 {
                    check(&tree.root);
                    assert_eq!(scores(&tree), model);
                }
            }
        }
    }

    #[test]
    fn prefixes_order_as_their_members_do() {
        let members: [&[u8]; 8] = [b"", b"\0", b"a", b"a\0b", b"ab", b"abcd", b"abcde", b"\xff"];
        for pair in members.windows(2) {
            assert!(Prefix::of(pair[0]) <= Prefix::of(pair[1]));
        }
    }

    #[test]
    fn what_arrives_in_order_fills_its_leaves() {
        let mut tree = RankTree::default();
        let count = LEAF_LEN_MAX * FANOUT_MAX;
        for score in 0..count {
            tree.insert(entry(score as f64), |entry| entry.score < score as f64);
        }
        let Node::Inner(inner) = &tree.root else { panic!("more than a leaf") };
        assert_eq!(inner.children.len(), FANOUT_MAX);
        check(&tree.root);
    }

    #[test]
    fn an_emptied_tree_is_one_empty_leaf() {
        let mut tree = RankTree::default();
        for score in 0..10_000 {
            tree.insert(entry(f64::from(score)), |entry| entry.score < f64::from(score));
        }
        assert!(check(&tree.root) > 1);
        (0..10_000).for_each(|score| assert_eq!(tree.remove(Rank(0)).score, f64::from(score)));
        assert_eq!(check(&tree.root), 0);
    }

    #[test]
    fn a_moved_member_is_found_where_it_is_now() {
        let mut tree = RankTree::default();
        for score in 0..10_000 {
            tree.insert(entry(f64::from(score)), |entry| entry.score < f64::from(score));
        }
        let moved = |rank: u32| rank + 20_000;
        for rank in 0..10_000 {
            let seek = Last(|entry: &Entry| entry.score <= f64::from(rank));
            tree.relocate(seek, rank, moved(rank));
        }
        check(&tree.root);
        assert!((0..10_000).all(|rank| tree.leaf(rank as usize).1[0].position == moved(rank)));
    }
}
