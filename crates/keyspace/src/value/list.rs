//! Lists.

use std::collections::VecDeque;

use super::Limits;
use super::packed::{Items, NODE_SIZE, Packed, packed_size};

/// Elements in packed nodes of a few KiB: both ends are cheap, and so is walking.
#[derive(Clone, Debug, Default)]
pub struct List {
    // Invariant: no node is empty.
    nodes: VecDeque<Packed>,
    len: usize,
}

/// Where a walk over a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Front,
    Back,
}

/// An element by its node and its index there.
#[derive(Clone, Copy, Debug)]
struct Seat {
    node: usize,
    index: usize,
}

impl List {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn encoding(&self) -> &'static str {
        // A lone element larger than a node is usually one makes a quicklist too.
        let is_listpack = match self.nodes.front() {
            Some(node) => self.nodes.len() == 1 && (node.len() > 1 || node.size() <= NODE_SIZE),
            None => true,
        };
        if is_listpack { "listpack" } else { "quicklist" }
    }

    pub fn push_front(&mut self, element: &[u8], limits: &Limits) {
        match self.nodes.front_mut() {
            Some(node) if fits(node, element, limits) => node.push_front(element),
            full => {
                if let Some(full) = full {
                    full.shrink_to_fit();
                }
                self.nodes.push_front([element].into_iter().collect());
            }
        }
        self.len += 1;
    }

    pub fn push_back(&mut self, element: &[u8], limits: &Limits) {
        match self.nodes.back_mut() {
            Some(node) if fits(node, element, limits) => node.push_back(element),
            full => {
                if let Some(full) = full {
                    full.shrink_to_fit();
                }
                self.nodes.push_back([element].into_iter().collect());
            }
        }
        self.len += 1;
    }

    pub fn pop_front(&mut self) -> Option<Box<[u8]>> {
        let element = self.nodes.front()?.get(0)?.into();
        self.drop_front(1);
        Some(element)
    }

    pub fn pop_back(&mut self) -> Option<Box<[u8]>> {
        let node = self.nodes.back()?;
        let element = node.get(node.len() - 1)?.into();
        self.drop_back(1);
        Some(element)
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let seat = self.seat(index)?;
        self.nodes[seat.node].get(seat.index)
    }

    /// Returns whether there is such an index.
    pub fn set(&mut self, index: usize, element: &[u8], limits: &Limits) -> bool {
        let Some(seat) = self.seat(index) else { return false };
        let node = &mut self.nodes[seat.node];
        let place = node.place(seat.index);
        let (old, _) = node.read(place);
        if node.len() == 1 || element.len() <= old.len() || fits(node, element, limits) {
            node.replace(place, element);
            return true;
        }
        self.remove_at(seat);
        match self.seat(index) {
            Some(next) => self.insert_at(next, element, limits),
            None => self.push_back(element, limits),
        }
        true
    }

    /// Returns whether the pivot was found; the first counts.
    pub fn insert_before(&mut self, pivot: &[u8], element: &[u8], limits: &Limits) -> bool {
        let Some(seat) = self.find(pivot) else { return false };
        self.insert_at(seat, element, limits);
        true
    }

    /// Returns whether the pivot was found; the first counts.
    pub fn insert_after(&mut self, pivot: &[u8], element: &[u8], limits: &Limits) -> bool {
        let Some(Seat { node, index }) = self.find(pivot) else { return false };
        self.insert_at(Seat { node, index: index + 1 }, element, limits);
        true
    }

    /// Removes up to `limit` elements equal to this one, the nearest to the given end first, and returns how many.
    pub fn remove(&mut self, element: &[u8], from: End, limit: usize) -> usize {
        let mut left = limit;
        match from {
            End::Front => self
                .nodes
                .iter_mut()
                .for_each(|node| left -= remove_from(node, element, from, left)),
            End::Back => self
                .nodes
                .iter_mut()
                .rev()
                .for_each(|node| left -= remove_from(node, element, from, left)),
        }
        self.nodes.retain(|node| !node.is_empty());
        self.len -= limit - left;
        limit - left
    }

    /// Keeps only the elements of a range.
    pub fn trim(&mut self, range: std::ops::Range<usize>) {
        let end = range.end.min(self.len);
        self.drop_back(self.len - end);
        self.drop_front(range.start.min(end));
    }

    pub fn iter(&self) -> Range<'_> {
        self.range(0..self.len)
    }

    /// The elements of a range, from either end.
    pub fn range(&self, range: std::ops::Range<usize>) -> Range<'_> {
        let end = range.end.min(self.len);
        Range { list: self, left: range.start.min(end)..end, front: None, back: None }
    }

    /// Where this element is, in the order of a walk from the given end that compares at most `limit` elements.
    pub fn positions<'a>(
        &'a self,
        element: &'a [u8],
        from: End,
        limit: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let mut elements = self.iter();
        let steps = 0..limit.min(self.len);
        steps.filter_map(move |step| {
            let (index, found) = match from {
                End::Front => (step, elements.next()),
                End::Back => (self.len - 1 - step, elements.next_back()),
            };
            (found == Some(element)).then_some(index)
        })
    }

    /// An estimate of its bytes, from a few nodes that stand for the others.
    pub fn memory(&self) -> usize {
        if self.nodes.is_empty() {
            return 0;
        }
        let sample = self.nodes.iter().step_by(self.nodes.len().div_ceil(16));
        let packed = sample.clone().map(Packed::memory).sum::<usize>() / sample.len();
        packed * self.nodes.len() + self.nodes.capacity() * size_of::<Packed>()
    }

    /// How many allocations end with it.
    pub fn work(&self) -> usize {
        self.nodes.len() + 1
    }

    /// Walks nodes from the nearer end.
    fn seat(&self, index: usize) -> Option<Seat> {
        if index >= self.len {
            return None;
        }
        if index <= self.len / 2 {
            let mut before = index;
            for (node, packed) in self.nodes.iter().enumerate() {
                if before < packed.len() {
                    return Some(Seat { node, index: before });
                }
                before -= packed.len();
            }
        }
        let mut after = self.len - 1 - index;
        for (node, packed) in self.nodes.iter().enumerate().rev() {
            if after < packed.len() {
                return Some(Seat { node, index: packed.len() - 1 - after });
            }
            after -= packed.len();
        }
        None
    }

    fn find(&self, element: &[u8]) -> Option<Seat> {
        self.nodes.iter().enumerate().find_map(|(node, packed)| {
            let index = packed.items().position(|item| item == element)?;
            Some(Seat { node, index })
        })
    }

    /// The element goes before the one at `seat`, or last into its node.
    fn insert_at(&mut self, seat: Seat, element: &[u8], limits: &Limits) {
        self.len += 1;
        let Seat { node, index } = seat;
        let packed = &mut self.nodes[node];
        let place = packed.place(index);
        if fits(packed, element, limits) {
            return packed.insert(place, &[element]);
        }
        let next = if index == 0 {
            node
        } else {
            if index < packed.len() {
                let rest = packed.split_off(place);
                self.nodes.insert(node + 1, rest);
            }
            node + 1
        };
        // The element now belongs between two nodes: into one that has room, else into one of its own.
        if next > 0 && fits(&self.nodes[next - 1], element, limits) {
            return self.nodes[next - 1].push_back(element);
        }
        match self.nodes.get_mut(next) {
            Some(packed) if fits(packed, element, limits) => packed.push_front(element),
            _ => self.nodes.insert(next, [element].into_iter().collect()),
        }
    }

    fn remove_at(&mut self, seat: Seat) {
        let packed = &mut self.nodes[seat.node];
        packed.remove(packed.place(seat.index), 1);
        if packed.is_empty() {
            self.nodes.remove(seat.node);
        }
        self.len -= 1;
    }

    fn drop_front(&mut self, count: usize) {
        self.len -= count;
        let mut left = count;
        while let Some(node) = self.nodes.front_mut() {
            if left < node.len() {
                return node.remove(node.place(0), left);
            }
            left -= node.len();
            self.nodes.pop_front();
        }
    }

    fn drop_back(&mut self, count: usize) {
        self.len -= count;
        let mut left = count;
        while let Some(node) = self.nodes.back_mut() {
            if left < node.len() {
                return node.remove(node.place(node.len() - left), left);
            }
            left -= node.len();
            self.nodes.pop_back();
        }
    }
}

/// Elements of a list from either end. The ends are looked up when they are first asked for.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    list: &'a List,
    left: std::ops::Range<usize>,
    front: Option<Walk<'a>>,
    back: Option<Walk<'a>>,
}

/// What remains of a node.
#[derive(Clone, Debug)]
struct Walk<'a> {
    node: usize,
    items: Items<'a>,
}

impl<'a> Iterator for Range<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let index = self.left.next()?;
        if self.front.is_none() {
            let seat = self.list.seat(index)?;
            self.front = Some(Walk {
                node: seat.node,
                items: self.list.nodes[seat.node].items_from(seat.index),
            });
        }
        let walk = self.front.as_mut()?;
        if let Some(item) = walk.items.next() {
            return Some(item);
        }
        walk.node += 1;
        walk.items = self.list.nodes[walk.node].items();
        walk.items.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let index = self.left.next_back()?;
        if self.back.is_none() {
            let seat = self.list.seat(index)?;
            self.back = Some(Walk {
                node: seat.node,
                items: self.list.nodes[seat.node].items_to(seat.index + 1),
            });
        }
        let walk = self.back.as_mut()?;
        if let Some(item) = walk.items.next_back() {
            return Some(item);
        }
        walk.node -= 1;
        walk.items = self.list.nodes[walk.node].items();
        walk.items.next_back()
    }
}

impl ExactSizeIterator for Range<'_> {}

fn fits(node: &Packed, element: &[u8], limits: &Limits) -> bool {
    let size = node.size() + packed_size(element.len());
    match usize::try_from(limits.list_max_listpack_size) {
        // However many elements a node may have, it stays of a size that can be walked.
        Ok(len_max) => node.len() < len_max && size <= NODE_SIZE,
        Err(_) => size <= (2 << 10) << limits.list_max_listpack_size.unsigned_abs().min(5),
    }
}

fn remove_from(node: &mut Packed, element: &[u8], from: End, limit: usize) -> usize {
    let equal =
        node.items().enumerate().filter(|&(_, item)| item == element).map(|(index, _)| index);
    let doomed: Vec<usize> = match from {
        End::Front => equal.take(limit).collect(),
        End::Back => {
            let equal: Vec<usize> = equal.collect();
            equal[equal.len().saturating_sub(limit)..].to_vec()
        }
    };
    if !doomed.is_empty() {
        let kept =
            node.items().enumerate().filter(|(index, _)| doomed.binary_search(index).is_err());
        *node = kept.map(|(_, item)| item).collect();
    }
    doomed.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::Random;

    const DEFAULT: Limits = Limits::DEFAULT;

    fn list_of(elements: &[&str]) -> List {
        let mut list = List::default();
        elements.iter().for_each(|element| list.push_back(element.as_bytes(), &DEFAULT));
        list
    }

    #[test]
    fn more_than_a_node_makes_a_quicklist_and_the_last_node_a_listpack_again() {
        let mut list = List::default();
        assert_eq!(list.encoding(), "listpack");
        (0..8).for_each(|_| list.push_back(&[0; 1000], &DEFAULT));
        assert_eq!(list.encoding(), "listpack");
        list.push_back(&[0; 1000], &DEFAULT);
        assert_eq!(list.encoding(), "quicklist");
        list.pop_back();
        assert_eq!(list.encoding(), "listpack");

        let mut lone = List::default();
        lone.push_back(&[0; 9000], &DEFAULT);
        assert_eq!(lone.encoding(), "quicklist");
    }

    #[test]
    fn a_node_holds_as_many_elements_as_the_limit_says() {
        let limits = Limits { list_max_listpack_size: 3, ..DEFAULT };
        let mut list = List::default();
        (0..7).for_each(|_| list.push_front(b"x", &limits));
        assert_eq!(list.nodes.len(), 3);
    }

    #[test]
    fn positions_are_indexes_whichever_end_the_walk_begins_at() {
        let list = list_of(&["a", "b", "a", "c", "a"]);
        assert_eq!(list.positions(b"a", End::Front, usize::MAX).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(list.positions(b"a", End::Back, 3).collect::<Vec<_>>(), [4, 2]);
    }

    #[test]
    fn removal_begins_at_the_end_it_is_told() {
        let mut list = list_of(&["a", "b", "a", "c", "a"]);
        assert_eq!(list.remove(b"a", End::Back, 2), 2);
        assert!(list.iter().eq([b"a", b"b", b"c"]));
        assert_eq!(list.remove(b"a", End::Front, usize::MAX), 1);
        assert_eq!(list.remove(b"none", End::Front, usize::MAX), 0);
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn a_queue_holds_no_more_memory_than_its_elements_need() {
        let mut list = List::default();
        for _ in 0..100_000 {
            list.push_back(&[0; 100], &DEFAULT);
            if list.len() > 100 {
                list.pop_front();
            }
        }
        assert!(list.memory() < 40_000, "{}", list.memory());
    }

    #[test]
    fn a_range_met_from_both_ends_yields_each_element_once() {
        let mut list = List::default();
        (0..5_000u32).for_each(|element| list.push_back(&element.to_le_bytes(), &DEFAULT));
        let mut range = list.range(1_000..4_000);
        let mut random = Random::seeded(9);
        let (mut front, mut back) = (1_000u32, 4_000u32);
        while front < back {
            if random.below(2) == 0 {
                assert_eq!(range.next(), Some(front.to_le_bytes().as_slice()));
                front += 1;
            } else {
                back -= 1;
                assert_eq!(range.next_back(), Some(back.to_le_bytes().as_slice()));
            }
        }
        assert_eq!((range.next(), range.next_back()), (None, None));
    }

    #[test]
    fn any_mix_of_changes_is_that_of_a_deque() {
        for (seed, list_max_listpack_size) in
            [(1, -2), (2, -1), (3, 5), (4, 1), (5, -2), (6, -5), (7, 100)]
        {
            let limits = Limits { list_max_listpack_size, ..DEFAULT };
            let mut random = Random::seeded(seed);
            let mut list = List::default();
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for step in 0..6_000 {
                let length =
                    if random.below(40) == 0 { random.below(12_000) } else { random.below(200) };
                let element = vec![b'a' + random.below(6) as u8; length as usize];
                let at = random.below(model.len() as u64 + 1) as usize;
                let known = model.get(at).cloned().unwrap_or_default();
                let first = model.iter().position(|item| *item == known);
                match random.below(10) {
                    0 | 1 => (list.push_front(&element, &limits), model.push_front(element)).1,
                    2 | 3 => (list.push_back(&element, &limits), model.push_back(element)).1,
                    4 => assert_eq!(list.pop_front().as_deref(), model.pop_front().as_deref()),
                    5 => assert_eq!(list.pop_back().as_deref(), model.pop_back().as_deref()),
                    6 => {
                        assert_eq!(list.set(at, &element, &limits), at < model.len());
                        if let Some(item) = model.get_mut(at) {
                            *item = element;
                        }
                    }
                    7 => {
                        assert_eq!(list.insert_before(&known, &element, &limits), first.is_some());
                        first.inspect(|&first| model.insert(first, element));
                    }
                    8 => {
                        assert_eq!(list.insert_after(&known, &element, &limits), first.is_some());
                        first.inspect(|&first| model.insert(first + 1, element));
                    }
                    _ if step % 200 == 0 => {
                        let end = at + random.below(300) as usize;
                        list.trim(at / 2..end);
                        model.truncate(end);
                        model.drain(..(at / 2).min(model.len()));
                    }
                    _ => {
                        let removed = list.remove(&known, End::Back, 1);
                        let last = model.iter().rposition(|item| *item == known);
                        last.inspect(|&last| drop(model.remove(last)));
                        assert_eq!(removed, usize::from(last.is_some()));
                    }
                }
                assert_eq!(list.len(), model.len());
                assert_eq!(list.get(at), model.get(at).map(Vec::as_slice));
                if step % 50 == 0 {
                    assert!(list.iter().eq(model.iter()));
                    assert!(list.range(at..at + 50).rev().eq(model.iter().skip(at).take(50).rev()));
                    assert!(list.nodes.iter().all(|node| !node.is_empty()));
                }
            }
        }
    }
}
