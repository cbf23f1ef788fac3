//! Clients that wait for a key to change.

use std::collections::{BTreeSet, VecDeque};

use commands::Wait;
use hashbrown::HashMap;
use keyspace::Keyspace;

use crate::client::Slot;
use crate::clients::Clients;

/// What a blocked client waits for, and what is run again when it comes.
#[derive(Debug)]
pub(crate) struct Blocked {
    pub(crate) entry: usize,
    pub(crate) db: usize,
    pub(crate) wait: Wait,
    pub(crate) request: Vec<Vec<u8>>,
}

/// Who waits for which key, in order of arrival, and until when.
#[derive(Debug, Default)]
pub(crate) struct Blocking {
    waiting: HashMap<(usize, Vec<u8>), VecDeque<Slot>>,
    deadlines: BTreeSet<(i64, Slot)>,
    count: usize,
}

impl Blocking {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn add(&mut self, keyspace: &mut Keyspace, slot: Slot, blocked: &Blocked) {
        for key in &blocked.wait.keys {
            let queue = self.waiting.entry((blocked.db, key.clone())).or_default();
            if !queue.contains(&slot) {
                queue.push_back(slot);
                keyspace.await_key(blocked.db, key);
            }
        }
        if let Some(deadline_ms) = blocked.wait.deadline_ms {
            self.deadlines.insert((deadline_ms, slot));
        }
        self.count += 1;
    }

    pub(crate) fn remove(&mut self, keyspace: &mut Keyspace, slot: Slot, blocked: &Blocked) {
        for key in &blocked.wait.keys {
            let place = (blocked.db, key.clone());
            let Some(queue) = self.waiting.get_mut(&place) else { continue };
            let Some(position) = queue.iter().position(|other| *other == slot) else { continue };
            queue.remove(position);
            keyspace.stop_awaiting(blocked.db, key);
            if queue.is_empty() {
                self.waiting.remove(&place);
            }
        }
        if let Some(deadline_ms) = blocked.wait.deadline_ms {
            self.deadlines.remove(&(deadline_ms, slot));
        }
        self.count -= 1;
    }

    /// Who waits for this key, the first come first.
    pub(crate) fn waiting_for(&self, db: usize, key: &[u8]) -> Vec<Slot> {
        self.waiting
            .get(&(db, key.to_vec()))
            .map(|queue| queue.iter().copied().collect())
            .unwrap_or_default()
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    pub(crate) fn overdue(&self, now_ms: i64) -> Vec<Slot> {
        self.deadlines
            .iter()
            .take_while(|(at_ms, _)| *at_ms <= now_ms)
            .map(|(_, slot)| *slot)
            .collect()
    }
}

/// Takes a client out of its wait.
pub(crate) fn release(
    blocking: &mut Blocking,
    keyspace: &mut Keyspace,
    clients: &mut Clients,
    slot: Slot,
) -> Option<Box<Blocked>> {
    let blocked = clients.get_mut(slot)?.blocked.take()?;
    blocking.remove(keyspace, slot, &blocked);
    Some(blocked)
}
