use std::collections::BTreeMap;

/// What a watched key was when it began to be watched. It says nothing once the key is no longer watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchVersion(u64);

struct Watched {
    version: u64,
    watchers: usize,
}

/// The keys that clients watch, by database. Few as a rule, and mostly none: an ordered map needs no seed.
#[derive(Default)]
pub(crate) struct Watches {
    databases: Vec<BTreeMap<Box<[u8]>, Watched>>,
    keys: usize,
    changes: u64,
}

impl Watches {
    pub(crate) fn new(databases: usize) -> Watches {
        Watches {
            databases: (0..databases).map(|_| BTreeMap::new()).collect(),
            ..Watches::default()
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    pub(crate) fn add(&mut self, db: usize, key: &[u8]) -> WatchVersion {
        if let Some(watched) = self.databases[db].get_mut(key) {
            watched.watchers += 1;
            return WatchVersion(watched.version);
        }
        self.keys += 1;
        self.databases[db].insert(key.into(), Watched { version: self.changes, watchers: 1 });
        WatchVersion(self.changes)
    }

    pub(crate) fn remove(&mut self, db: usize, key: &[u8]) {
        let Some(watched) = self.databases[db].get_mut(key) else { return };
        watched.watchers -= 1;
        if watched.watchers == 0 {
            self.databases[db].remove(key);
            self.keys -= 1;
        }
    }

    pub(crate) fn is_unchanged(&self, db: usize, key: &[u8], version: WatchVersion) -> bool {
        self.databases[db].get(key).is_some_and(|watched| watched.version == version.0)
    }

    #[inline]
    pub(crate) fn touch(&mut self, db: usize, key: &[u8]) {
        if self.is_empty() {
            return;
        }
        if let Some(watched) = self.databases[db].get_mut(key) {
            self.changes += 1;
            watched.version = self.changes;
        }
    }

    /// Touches the watched keys of a database that `exists` knows.
    pub(crate) fn touch_all(&mut self, db: usize, exists: impl Fn(&[u8]) -> bool) {
        for (key, watched) in &mut self.databases[db] {
            if exists(key) {
                self.changes += 1;
                watched.version = self.changes;
            }
        }
    }
}
