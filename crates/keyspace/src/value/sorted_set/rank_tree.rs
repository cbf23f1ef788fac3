//! A B+tree that counts: entries in order, found by rank in O(log n).
//!
//! It knows no members, only where they are; what needs their order hands in a predicate that holds for all entries
//! before some point and for none after.

const LEAF_LEN_MAX: usize = 64;
const FANOUT_MAX: usize = 32;

/// A member's score and its position in the hash table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) score: f64,
    pub(super) position: u32,
}

#[derive(Clone, Debug)]
pub(super) struct RankTree {
    root: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<Entry>),
    // Invariant: all children are equally high, and none is empty.
    Inner(Vec<Branch>),
}

#[derive(Clone, Debug)]
struct Branch {
    // Invariant: the child's first entry and its number of entries.
    first: Entry,
    len: usize,
    child: Node,
}

/// Where a full node is cut.
#[derive(Clone, Copy)]
enum Split {
    Middle,
    // What arrives in order leaves full nodes behind.
    End,
}

impl Default for RankTree {
    fn default() -> Self {
        RankTree { root: Node::Leaf(Vec::new()) }
    }
}

impl RankTree {
    pub(super) fn len(&self) -> usize {
        self.root.len()
    }

    /// How many entries the predicate holds for.
    pub(super) fn partition(&self, mut is_before: impl FnMut(&Entry) -> bool) -> usize {
        let mut node = &self.root;
        let mut rank = 0;
        loop {
            match node {
                Node::Leaf(entries) => return rank + entries.partition_point(is_before),
                Node::Inner(branches) => {
                    let after = branches.partition_point(|branch| is_before(&branch.first));
                    let Some(at) = after.checked_sub(1) else { return rank };
                    rank += branches[..at].iter().map(|branch| branch.len).sum::<usize>();
                    node = &branches[at].child;
                }
            }
        }
    }

    /// The leaf that holds a rank from that rank on, and before it what precedes in the leaf.
    pub(super) fn leaf(&self, rank: usize) -> (&[Entry], &[Entry]) {
        let mut node = &self.root;
        let mut rank = rank;
        loop {
            match node {
                Node::Leaf(entries) => return entries.split_at(rank),
                Node::Inner(branches) => {
                    let at;
                    (at, rank) = descend(branches, rank);
                    node = &branches[at].child;
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
            let mut branches = Vec::with_capacity(FANOUT_MAX);
            branches.extend([Branch::to(root), sibling]);
            self.root = Node::Inner(branches);
        }
    }

    pub(super) fn remove(&mut self, rank: usize) -> Entry {
        let removed = self.root.remove(rank);
        while let Node::Inner(branches) = &mut self.root {
            if branches.len() > 1 {
                break;
            }
            self.root = branches.pop().map_or(Node::Leaf(Vec::new()), |only| only.child);
        }
        removed
    }

    /// Tells the tree that the member of this rank is elsewhere now.
    pub(super) fn relocate(&mut self, rank: usize, position: u32) {
        let mut node = &mut self.root;
        let mut rank = rank;
        loop {
            match node {
                Node::Leaf(entries) => {
                    entries[rank].position = position;
                    return;
                }
                Node::Inner(branches) => {
                    let at;
                    (at, rank) = descend(branches, rank);
                    if rank == 0 {
                        branches[at].first.position = position;
                    }
                    node = &mut branches[at].child;
                }
            }
        }
    }

    /// An estimate: nodes are two thirds full.
    pub(super) fn memory(&self) -> usize {
        let branch = size_of::<Branch>() * 3 / 2;
        self.len() * size_of::<Entry>() * 3 / 2 + self.allocations() * branch
    }

    /// An estimate likewise.
    pub(super) fn allocations(&self) -> usize {
        1 + self.len() * 3 / 2 / LEAF_LEN_MAX
    }
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(branches) => branches.iter().map(|branch| branch.len).sum(),
        }
    }

    fn first(&self) -> Option<Entry> {
        match self {
            Node::Leaf(entries) => entries.first().copied(),
            Node::Inner(branches) => branches.first().map(|branch| branch.first),
        }
    }

    fn last(&self) -> Option<&Entry> {
        match self {
            Node::Leaf(entries) => entries.last(),
            Node::Inner(branches) => branches.last()?.child.last(),
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
            Node::Inner(branches) => {
                let at =
                    branches.partition_point(|branch| is_before(&branch.first)).saturating_sub(1);
                let branch = &mut branches[at];
                let new = branch.child.insert(entry, is_before, split);
                branch.len += 1;
                branch.first = branch.child.first().expect("an entry was just added");
                let new = new?;
                branch.len -= new.len;
                let sibling = insert_split(branches, at + 1, new, FANOUT_MAX, split)?;
                Some(Branch::to(Node::Inner(sibling)))
            }
        }
    }

    fn remove(&mut self, rank: usize) -> Entry {
        match self {
            Node::Leaf(entries) => entries.remove(rank),
            Node::Inner(branches) => {
                let (at, rank) = descend(branches, rank);
                let branch = &mut branches[at];
                let removed = branch.child.remove(rank);
                branch.len -= 1;
                match branch.child.first() {
                    Some(first) => branch.first = first,
                    None => drop(branches.remove(at)),
                }
                merge_around(branches, at);
                removed
            }
        }
    }

    /// Its share of what a node can hold, in percent.
    fn fill(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len() * 100 / LEAF_LEN_MAX,
            Node::Inner(branches) => branches.len() * 100 / FANOUT_MAX,
        }
    }
}

impl Branch {
    fn to(child: Node) -> Self {
        Branch { first: child.first().expect("no child is empty"), len: child.len(), child }
    }
}

/// The branch that holds a rank, and the rank within it.
fn descend(branches: &[Branch], rank: usize) -> (usize, usize) {
    let mut rank = rank;
    for (at, branch) in branches.iter().enumerate() {
        if rank < branch.len {
            return (at, rank);
        }
        rank -= branch.len;
    }
    panic!("a rank is below the number of entries");
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

/// Merges a child that has become sparse with a neighbour, unless both together would soon split again.
fn merge_around(branches: &mut Vec<Branch>, at: usize) {
    let is_sparse = branches.get(at).is_some_and(|branch| branch.child.fill() < 25);
    if !is_sparse {
        return;
    }
    let left = at.saturating_sub(1);
    let Some([one, other]) = branches.get_mut(left..left + 2) else { return };
    if one.child.fill() + other.child.fill() > 75 {
        return;
    }
    match (&mut one.child, &mut other.child) {
        (Node::Leaf(entries), Node::Leaf(more)) => entries.append(more),
        (Node::Inner(children), Node::Inner(more)) => children.append(more),
        _ => unreachable!("all children are equally high"),
    }
    one.len += other.len;
    branches.remove(left + 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::Random;

    fn entry(score: f64) -> Entry {
        Entry { score, position: score as u32 }
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
            Node::Inner(branches) => {
                assert!((1..=FANOUT_MAX).contains(&branches.len()));
                for branch in branches {
                    assert_eq!(Some(branch.first), branch.child.first());
                    assert_eq!(branch.len, branch.child.len());
                }
                let heights: Vec<usize> =
                    branches.iter().map(|branch| check(&branch.child)).collect();
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
                    assert_eq!(tree.remove(rank).score, model.remove(rank));
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
    fn what_arrives_in_order_fills_its_leaves() {
        let mut tree = RankTree::default();
        let count = LEAF_LEN_MAX * FANOUT_MAX;
        for score in 0..count {
            tree.insert(entry(score as f64), |entry| entry.score < score as f64);
        }
        let Node::Inner(branches) = &tree.root else { panic!("more than a leaf") };
        assert_eq!(branches.len(), FANOUT_MAX);
        check(&tree.root);
    }

    #[test]
    fn an_emptied_tree_is_one_empty_leaf() {
        let mut tree = RankTree::default();
        for score in 0..10_000 {
            tree.insert(entry(f64::from(score)), |entry| entry.score < f64::from(score));
        }
        assert!(check(&tree.root) > 1);
        (0..10_000).for_each(|score| assert_eq!(tree.remove(0).score, f64::from(score)));
        assert_eq!(check(&tree.root), 0);
    }

    #[test]
    fn a_moved_member_is_found_where_it_is_now() {
        let mut tree = RankTree::default();
        for score in 0..10_000 {
            tree.insert(entry(f64::from(score)), |entry| entry.score < f64::from(score));
        }
        (0..10_000).for_each(|rank| tree.relocate(rank, 1));
        check(&tree.root);
        assert!((0..10_000).all(|rank| tree.leaf(rank).1[0].position == 1));
    }
}
