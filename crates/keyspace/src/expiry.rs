//! Expiry without memory per key: each segment knows a time before which nothing in it expires.

use crate::entry::Entry;
use crate::keyspace::Keyspace;

/// What a write does to a key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Clear,
    Keep,
    /// In milliseconds since the epoch.
    At(i64),
}

impl Expiry {
    pub(crate) fn over(self, old: Option<i64>) -> Option<i64> {
        match self {
            Expiry::Clear => None,
            Expiry::Keep => old,
            Expiry::At(ms) => Some(ms),
        }
    }
}

/// A key lives through the millisecond at which it expires.
#[inline]
pub(crate) fn has_passed(expiry_ms: i64, now_ms: i64) -> bool {
    expiry_ms < now_ms
}

/// What one database knows of the next key to expire, so that a cycle passes it by until then.
pub(crate) struct ExpiryPass {
    /// Nothing expires before.
    next: i64,
    /// The same for what a pass has swept so far, together with what was set since it began.
    seen: i64,
}

impl Default for ExpiryPass {
    fn default() -> Self {
        ExpiryPass { next: i64::MAX, seen: i64::MAX }
    }
}

impl ExpiryPass {
    #[inline]
    pub(crate) fn note(&mut self, expiry: Option<i64>) {
        if let Some(ms) = expiry {
            self.next = self.next.min(ms);
            self.seen = self.seen.min(ms);
        }
    }
}

/// Where the last cycle stopped.
#[derive(Default)]
pub(crate) struct ExpiryCycle {
    db: usize,
    position: u64,
}

impl ExpiryCycle {
    /// The databases have changed places.
    pub(crate) fn restart(&mut self) {
        *self = ExpiryCycle::default();
    }
}

impl Keyspace {
    /// Removes expired keys, as if each had been accessed, until about `budget` entries were looked at. The next cycle goes
    /// on from there. Returns how many keys were removed.
    pub fn expire_cycle(&mut self, budget: usize) -> usize {
        let now_ms = self.now_ms();
        let mut expired: Vec<Entry> = Vec::new();
        let mut removed = 0;
        let mut looked = 0;
        // Once more than there are databases: the one to begin with may be in the middle of a pass.
        for _ in 0..=self.stores.len() {
            let Some(store) = self.stores.get_mut(self.cycle.db) else { break };
            if self.cycle.position == 0 {
                store.pass.seen = i64::MAX;
            }
            let mut at = has_passed(store.pass.next, now_ms).then_some(self.cycle.position);
            while let Some(position) = at {
                if looked >= budget {
                    self.cycle.position = position;
                    return removed;
                }
                let store = &mut self.stores[self.cycle.db];
                let Some(swept) = store.sweep(position, now_ms, |entry| expired.push(entry)) else {
                    break;
                };
                store.pass.note(Some(swept.next_expiry));
                looked += swept.looked;
                at = swept.next;
                if at.is_none() {
                    store.pass.next = store.pass.seen;
                }
                removed += expired.len();
                self.statistics.expired_keys_active += expired.len() as u64;
                for entry in expired.drain(..) {
                    self.after_expiry(self.cycle.db, entry);
                }
            }
            self.cycle.position = 0;
            self.cycle.db = (self.cycle.db + 1) % self.stores.len();
        }
        removed
    }
}
