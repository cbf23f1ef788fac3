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

#[cfg(test)]
mod tests {
    use crate::{EventClass, Expiry, Keyspace, Options};

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(Options { databases: 3, seed: 42 });
        keyspace.set_now(1_000);
        keyspace
    }

    #[test]
    fn a_key_lives_through_its_last_millisecond_and_is_gone_at_the_next_access() {
        let mut keyspace = keyspace();
        keyspace.set_interest(EventClass::EXPIRED.into());
        keyspace.database(0).set_string(b"key", b"value", Expiry::At(1_500));
        keyspace.set_now(1_500);
        assert!(keyspace.database(0).exists(b"key"));
        keyspace.set_now(1_501);
        assert_eq!(keyspace.database(0).len(), 1);
        assert_eq!(keyspace.database(0).string(b"key"), Ok(None));
        assert_eq!(keyspace.database(0).len(), 0);
        assert_eq!(keyspace.statistics().expired_keys, 1);
        assert_eq!((keyspace.statistics().hits, keyspace.statistics().misses), (1, 1));
        let mut events = Vec::new();
        keyspace.take_events(&mut events);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind.name, "expired");
    }

    #[test]
    fn cycles_of_any_budget_remove_all_that_expired_and_nothing_else() {
        for budget in [1, 100, usize::MAX] {
            let mut keyspace = keyspace();
            for n in 0..6_000_i64 {
                let expiry = match n % 3 {
                    0 => Expiry::Clear,
                    1 => Expiry::At(2_000 + n),
                    _ => Expiry::At(1_000_000),
                };
                let mut database = keyspace.database((n % 2) as usize * 2);
                database.set_int(&n.to_be_bytes(), n, expiry);
            }
            assert_eq!(keyspace.expire_cycle(budget), 0);
            for (now, expired) in [(5_000, 1_000), (5_000, 0), (20_000, 1_000)] {
                keyspace.set_now(now);
                let removed: usize = (0..1_000).map(|_| keyspace.expire_cycle(budget)).sum();
                assert_eq!(removed, expired, "budget {budget}");
            }
            let left: usize = (0..3).map(|db| keyspace.database_statistics(db).keys).sum();
            let expiring: usize = (0..3).map(|db| keyspace.database_statistics(db).expiring).sum();
            assert_eq!((left, expiring), (4_000, 2_000));
            assert_eq!(keyspace.statistics().expired_keys_active, 2_000);
            assert_eq!(keyspace.database_statistics(0).average_ttl_ms, 980_000);
        }
    }

    #[test]
    fn an_expiry_that_comes_nearer_is_noticed() {
        let mut keyspace = keyspace();
        for n in 0..5_000_i64 {
            keyspace.database(0).set_int(&n.to_be_bytes(), n, Expiry::At(1_000_000));
        }
        keyspace.set_now(2_000);
        assert_eq!(keyspace.expire_cycle(usize::MAX), 0);
        assert!(keyspace.database(0).set_expiry(&7_i64.to_be_bytes(), 1_999));
        assert_eq!(keyspace.expire_cycle(usize::MAX), 1);
    }

    #[test]
    fn a_cycle_goes_on_after_its_database_was_flushed_or_swapped() {
        let mut keyspace = keyspace();
        let fill = |keyspace: &mut Keyspace| {
            for n in 0..5_000_i64 {
                keyspace.database(0).set_int(&n.to_be_bytes(), n, Expiry::At(1_500));
            }
        };
        fill(&mut keyspace);
        keyspace.set_now(2_000);
        assert!(keyspace.expire_cycle(100) < 5_000);
        keyspace.database(0).flush();
        fill(&mut keyspace);
        keyspace.swap(0, 1);
        while keyspace.expire_cycle(100) > 0 {}
        assert_eq!(keyspace.database(1).len(), 0);
    }
}
