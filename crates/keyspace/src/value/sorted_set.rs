#[derive(Clone, Debug, Default)]
pub struct SortedSet {}

impl SortedSet {
    pub fn len(&self) -> usize {
        0
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
