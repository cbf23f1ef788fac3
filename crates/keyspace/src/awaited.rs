use std::collections::BTreeMap;

/// The keys that blocked clients wait for, and those of them that were written since anybody asked.
///
/// Few as a rule, and mostly none: then a write costs one comparison.
#[derive(Default)]
pub(crate) struct Awaited {
    databases: Vec<BTreeMap<Box<[u8]>, usize>>,
    keys: usize,
    ready: Vec<(usize, Box<[u8]>)>,
}

impl Awaited {
    pub(crate) fn new(databases: usize) -> Awaited {
        Awaited {
            databases: (0..databases).map(|_| BTreeMap::new()).collect(),
            ..Awaited::default()
        }
    }

    pub(crate) fn add(&mut self, db: usize, key: &[u8]) {
        if let Some(waiters) = self.databases[db].get_mut(key) {
            *waiters += 1;
            return;
        }
        self.databases[db].insert(key.into(), 1);
        self.keys += 1;
    }

    pub(crate) fn remove(&mut self, db: usize, key: &[u8]) {
        let Some(waiters) = self.databases[db].get_mut(key) else { return };
        *waiters -= 1;
        if *waiters == 0 {
            self.databases[db].remove(key);
            self.keys -= 1;
        }
    }

    #[inline]
    pub(crate) fn written(&mut self, db: usize, key: &[u8]) {
        if self.keys > 0 && self.databases[db].contains_key(key) && !self.is_ready(db, key) {
            self.ready.push((db, key.into()));
        }
    }

    /// Every awaited key of a database may hold something else now.
    pub(crate) fn all_written(&mut self, db: usize) {
        let keys: Vec<Box<[u8]>> = self.databases[db].keys().cloned().collect();
        keys.iter().for_each(|key| self.written(db, key));
    }

    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn take_ready(&mut self) -> Vec<(usize, Box<[u8]>)> {
        std::mem::take(&mut self.ready)
    }

    fn is_ready(&self, db: usize, key: &[u8]) -> bool {
        self.ready.iter().any(|(ready_db, ready)| *ready_db == db && ready[..] == *key)
    }
}

#[cfg(test)]
mod tests {
    use super::Awaited;

    #[test]
    fn a_written_key_is_ready_once_and_only_while_somebody_waits() {
        let mut awaited = Awaited::new(2);
        awaited.written(0, b"queue");
        assert!(!awaited.has_ready());
        awaited.add(0, b"queue");
        awaited.add(0, b"queue");
        awaited.written(1, b"queue");
        awaited.written(0, b"queue");
        awaited.written(0, b"queue");
        assert_eq!(awaited.take_ready(), [(0, b"queue"[..].into())]);
        awaited.remove(0, b"queue");
        awaited.written(0, b"queue");
        assert!(awaited.has_ready());
        awaited.take_ready();
        awaited.remove(0, b"queue");
        awaited.written(0, b"queue");
        assert!(!awaited.has_ready());
    }
}
