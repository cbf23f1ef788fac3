use std::ops::{Index, IndexMut};

const CHUNK_LEN: usize = 256;

/// A vector that grows by chunks, so that no push ever moves all items.
#[derive(Clone, Debug)]
pub(super) struct Chunks<Item> {
    // Invariant: all are full but the last, which is not empty.
    chunks: Vec<Vec<Item>>,
    len: usize,
}

impl<Item> Default for Chunks<Item> {
    fn default() -> Self {
        Chunks { chunks: Vec::new(), len: 0 }
    }
}

impl<Item> Chunks<Item> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, item: Item) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN => chunk.push(item),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK_LEN);
                chunk.push(item);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
    }

    /// Removes an item and puts the last one in its place.
    pub(super) fn swap_remove(&mut self, position: usize) -> Item {
        let chunk = self.chunks.last_mut().expect("a position is that of an item");
        let last = chunk.pop().expect("no chunk is empty");
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.len -= 1;
        if position == self.len {
            return last;
        }
        std::mem::replace(&mut self[position], last)
    }

    pub(super) fn memory(&self) -> usize {
        self.chunks.len() * CHUNK_LEN * size_of::<Item>()
            + self.chunks.capacity() * size_of::<Vec<Item>>()
    }

    pub(super) fn allocations(&self) -> usize {
        self.chunks.len() + 1
    }
}

impl<Item> Index<usize> for Chunks<Item> {
    type Output = Item;

    #[inline]
    fn index(&self, position: usize) -> &Item {
        &self.chunks[position / CHUNK_LEN][position % CHUNK_LEN]
    }
}

impl<Item> IndexMut<usize> for Chunks<Item> {
    #[inline]
    fn index_mut(&mut self, position: usize) -> &mut Item {
        &mut self.chunks[position / CHUNK_LEN][position % CHUNK_LEN]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_item_fills_the_gap_across_chunks() {
        let mut chunks = Chunks::default();
        (0..CHUNK_LEN + 1).for_each(|item| chunks.push(item));
        assert_eq!(chunks.swap_remove(0), 0);
        assert_eq!(chunks[0], CHUNK_LEN);
        assert_eq!(chunks.allocations(), 2);
        assert_eq!(chunks.len(), CHUNK_LEN);
    }
}
