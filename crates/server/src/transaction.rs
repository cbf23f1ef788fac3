//! MULTI, EXEC and WATCH: what a client has queued and what it watches.

use keyspace::{Keyspace, WatchVersion};

/// A client's transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// `None` outside MULTI.
    pub(crate) queue: Option<Vec<Queued>>,
    /// A command was refused when it was queued: EXEC will refuse all.
    pub(crate) broken: bool,
    watched: Vec<Watched>,
}

/// A request that waits for EXEC.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) entry: usize,
    pub(crate) request: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Watched {
    db: usize,
    key: Vec<u8>,
    version: WatchVersion,
}

impl Transaction {
    pub(crate) fn is_open(&self) -> bool {
        self.queue.is_some()
    }

    pub(crate) fn watch(&mut self, keyspace: &mut Keyspace, db: usize, key: &[u8]) {
        if self.watched.iter().any(|watched| watched.db == db && watched.key == key) {
            return;
        }
        let version = keyspace.watch(db, key);
        self.watched.push(Watched { db, key: key.to_vec(), version });
    }

    pub(crate) fn unwatch(&mut self, keyspace: &mut Keyspace) {
        for watched in self.watched.drain(..) {
            keyspace.unwatch(watched.db, &watched.key);
        }
    }

    pub(crate) fn is_undisturbed(&self, keyspace: &mut Keyspace) -> bool {
        self.watched
            .iter()
            .all(|watched| keyspace.is_unchanged(watched.db, &watched.key, watched.version))
    }

    /// Ends MULTI, whatever was queued.
    pub(crate) fn close(&mut self, keyspace: &mut Keyspace) -> Vec<Queued> {
        self.broken = false;
        self.unwatch(keyspace);
        self.queue.take().unwrap_or_default()
    }
}
