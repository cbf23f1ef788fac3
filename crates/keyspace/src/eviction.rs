//! Which key goes when memory is short: the best of a few drawn by chance, and of the best that earlier draws have left over.

use crate::access::{AccessClock, AccessPolicy};
use crate::entry::{Entry, EntryRef};
use crate::event::EventKind;
use crate::keyspace::Keyspace;
use crate::random::Random;
use crate::store::Store;
use crate::table::Place;

/// What may go, and what of it goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionPolicy {
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    /// What expires next.
    VolatileTtl,
}

impl EvictionPolicy {
    const NAMES: [(&'static str, EvictionPolicy); 7] = [
        ("allkeys-lru", EvictionPolicy::AllKeysLru),
        ("allkeys-lfu", EvictionPolicy::AllKeysLfu),
        ("allkeys-random", EvictionPolicy::AllKeysRandom),
        ("volatile-lru", EvictionPolicy::VolatileLru),
        ("volatile-lfu", EvictionPolicy::VolatileLfu),
        ("volatile-random", EvictionPolicy::VolatileRandom),
        ("volatile-ttl", EvictionPolicy::VolatileTtl),
    ];

    /// By its name in maxmemory-policy. `noeviction` is none.
    pub fn from_name(name: &str) -> Option<EvictionPolicy> {
        Self::NAMES.iter().find(|(other, _)| *other == name).map(|(_, policy)| *policy)
    }

    /// What entries have to count for it.
    pub fn access_policy(self) -> AccessPolicy {
        match self {
            EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu => AccessPolicy::Lfu,
            _ => AccessPolicy::Lru,
        }
    }

    /// Only keys that expire may go.
    fn is_volatile(self) -> bool {
        use EvictionPolicy::*;
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }

    fn is_random(self) -> bool {
        matches!(self, EvictionPolicy::AllKeysRandom | EvictionPolicy::VolatileRandom)
    }

    /// The higher, the sooner an entry goes. It rises with time alone: one that fell shows that the entry was used.
    fn score(self, access: &AccessClock, entry: EntryRef<'_>) -> u64 {
        match (self, self.access_policy()) {
            (EvictionPolicy::VolatileTtl, _) => {
                // Maps i64 onto u64 in order, and turns it round.
                let ms = entry.expiry().unwrap_or(i64::MAX);
                !(ms.cast_unsigned() ^ (1 << 63))
            }
            (_, AccessPolicy::Lru) => u64::from(access.idle_seconds(entry.access())),
            (_, AccessPolicy::Lfu) => u64::from(u8::MAX - access.frequency(entry.access())),
        }
    }

    fn may_evict(self, entry: EntryRef<'_>) -> bool {
        entry.is_expiring() || !self.is_volatile()
    }

    fn candidates(self, store: &Store) -> usize {
        if self.is_volatile() { store.expiring() } else { store.table().len() }
    }

    fn sample(self, store: &Store, random: u64, count: usize, f: impl FnMut(EntryRef<'_>)) {
        if self.is_volatile() {
            store.table().sample_expiring(random, count, f);
        } else {
            store.table().sample(random, count, f);
        }
    }
}

const POOL_LEN_MAX: usize = 16;

/// What lasts from one eviction to the next.
#[derive(Default)]
pub(crate) struct Eviction {
    /// Whose scores the pool has; those of different policies cannot be compared.
    policy: Option<EvictionPolicy>,
    /// Good candidates, the best last. They may have changed or gone since they were drawn.
    pool: Vec<Candidate>,
    /// Where a random policy, which compares nothing, takes the next key from.
    next_db: usize,
}

struct Candidate {
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

impl Eviction {
    fn select(&mut self, policy: EvictionPolicy) {
        if self.policy != Some(policy) {
            self.policy = Some(policy);
            self.pool.clear();
        }
    }

    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let is_full = self.pool.len() == POOL_LEN_MAX;
        if is_full && score <= self.pool[0].score
            || self.pool.iter().any(|other| other.db == db && *other.key == *key)
        {
            return;
        }
        if is_full {
            self.pool.remove(0);
        }
        let at = self.pool.partition_point(|other| other.score < score);
        self.pool.insert(at, Candidate { score, db, key: key.into() });
    }
}

impl Keyspace {
    /// Removes one key, the best by this policy of `samples` from each database and of what earlier calls have left over.
    /// `false` if the policy lets nothing go.
    pub fn evict_one(&mut self, policy: EvictionPolicy, samples: usize) -> bool {
        let victim = if policy.is_random() { self.any(policy) } else { self.best(policy, samples) };
        let Some((db, place)) = victim else { return false };
        let entry = self.stores[db].remove(place);
        self.after_eviction(db, entry);
        true
    }

    fn any(&mut self, policy: EvictionPolicy) -> Option<(usize, Place)> {
        for _ in 0..self.stores.len() {
            let db = self.eviction.next_db % self.stores.len();
            self.eviction.next_db = db + 1;
            let (store, random) = (&self.stores[db], &mut self.random);
            if policy.candidates(store) == 0 {
                continue;
            }
            let mut place = None;
            let mut choose = |entry: EntryRef<'_>| place = store.place_of(entry.key());
            match policy {
                EvictionPolicy::AllKeysRandom => {
                    store.table().random(|| random.draw()).into_iter().for_each(&mut choose);
                }
                _ => policy.sample(store, random.draw(), 1, &mut choose),
            }
            if let Some(place) = place {
                return Some((db, place));
            }
        }
        None
    }

    fn best(&mut self, policy: EvictionPolicy, samples: usize) -> Option<(usize, Place)> {
        self.eviction.select(policy);
        loop {
            let Keyspace { stores, access, eviction, random, .. } = self;
            if !draw(policy, samples, stores, access, eviction, random) {
                return None;
            }
            // Each turn of the outer loop ends with a victim or an empty pool, which the next draw fills with what is there.
            while let Some(candidate) = eviction.pool.pop() {
                let store = &stores[candidate.db];
                let Some(place) = store.place_of(&candidate.key) else { continue };
                let entry = store.table().entry(place);
                if policy.may_evict(entry) && policy.score(access, entry) >= candidate.score {
                    return Some((candidate.db, place));
                }
            }
        }
    }

    #[cold]
    fn after_eviction(&mut self, db: usize, entry: Entry) {
        let key = entry.as_ref().key();
        self.statistics.evicted_keys += 1;
        self.watches.touch(db, key);
        if let Some(entry) = self.record_removal(EventKind::EVICTED, db, entry) {
            self.discard(entry);
        }
    }
}

/// Offers the pool samples of every database; `false` if there is nothing to offer.
fn draw(
    policy: EvictionPolicy,
    samples: usize,
    stores: &[Store],
    access: &AccessClock,
    eviction: &mut Eviction,
    random: &mut Random,
) -> bool {
    let mut is_any = false;
    for (db, store) in stores.iter().enumerate() {
        if policy.candidates(store) == 0 {
            continue;
        }
        is_any = true;
        policy.sample(store, random.draw(), samples, |entry| {
            eviction.offer(policy.score(access, entry), db, entry.key());
        });
    }
    is_any
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::{EventClass, Expiry, LfuOptions, Options};

    const SAMPLES: usize = 5;

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(Options { databases: 3, seed: 42 });
        keyspace.set_now(1_000_000);
        keyspace
    }

    fn key(n: i64) -> Vec<u8> {
        format!("key:{n}").into_bytes()
    }

    fn fill(keyspace: &mut Keyspace, numbers: Range<i64>, expiry: impl Fn(i64) -> Expiry) {
        for n in numbers {
            keyspace.database((n % 2) as usize * 2).set_int(&key(n), n, expiry(n));
        }
    }

    fn evict(keyspace: &mut Keyspace, policy: EvictionPolicy, count: usize) {
        for _ in 0..count {
            assert!(keyspace.evict_one(policy, SAMPLES));
        }
    }

    fn left(keyspace: &mut Keyspace, numbers: Range<i64>) -> usize {
        let is_there = |n: &i64| keyspace.database((n % 2) as usize * 2).contains(&key(*n));
        numbers.filter(is_there).count()
    }

    #[test]
    fn keys_that_were_used_lately_stay() {
        for policy in [EvictionPolicy::AllKeysLru, EvictionPolicy::VolatileLru] {
            let mut keyspace = keyspace();
            fill(&mut keyspace, 0..2_000, |_| Expiry::At(9_000_000));
            keyspace.set_now(1_100_000);
            for n in 0..1_000 {
                assert!(keyspace.database((n % 2) as usize * 2).touch(&key(n)));
            }
            evict(&mut keyspace, policy, 800);
            let used = left(&mut keyspace, 0..1_000);
            assert!(used > 970, "{policy:?}: {used}");
        }
    }

    #[test]
    fn keys_that_are_used_often_stay() {
        for policy in [EvictionPolicy::AllKeysLfu, EvictionPolicy::VolatileLfu] {
            let mut keyspace = keyspace();
            keyspace.set_access_policy(policy.access_policy(), LfuOptions::default());
            fill(&mut keyspace, 0..2_000, |_| Expiry::At(9_000_000));
            for round in 0..40 {
                for n in 0..1_000 {
                    let mut database = keyspace.database((n % 2) as usize * 2);
                    // A write is as good as a look.
                    match round % 2 {
                        0 => assert!(database.touch(&key(n))),
                        _ => database.set_int(&key(n), n, Expiry::Keep),
                    }
                }
            }
            evict(&mut keyspace, policy, 800);
            let used = left(&mut keyspace, 0..1_000);
            assert!(used > 970, "{policy:?}: {used}");
        }
    }

    #[test]
    fn what_expires_next_goes_first() {
        let mut keyspace = keyspace();
        fill(&mut keyspace, 0..2_000, |n| Expiry::At(2_000_000 + n * 1_000));
        evict(&mut keyspace, EvictionPolicy::VolatileTtl, 1_000);
        let late = left(&mut keyspace, 1_000..2_000);
        assert!(late > 900, "{late}");
    }

    #[test]
    fn volatile_policies_take_every_key_that_expires_and_no_other() {
        for policy in [
            EvictionPolicy::VolatileLru,
            EvictionPolicy::VolatileLfu,
            EvictionPolicy::VolatileRandom,
            EvictionPolicy::VolatileTtl,
        ] {
            let mut keyspace = keyspace();
            let expiry = |n| if n % 100 == 0 { Expiry::At(9_000_000 - n) } else { Expiry::Clear };
            fill(&mut keyspace, 0..20_000, expiry);
            evict(&mut keyspace, policy, 200);
            assert!(!keyspace.evict_one(policy, SAMPLES), "{policy:?}");
            assert_eq!(left(&mut keyspace, 0..20_000), 19_800);
            assert_eq!(keyspace.statistics().evicted_keys, 200);
        }
    }

    #[test]
    fn a_random_policy_takes_from_all_databases_and_everything_in_the_end() {
        let mut keyspace = keyspace();
        fill(&mut keyspace, 0..2_000, |_| Expiry::Clear);
        evict(&mut keyspace, EvictionPolicy::AllKeysRandom, 1_000);
        assert_eq!(keyspace.database(0).len(), keyspace.database(2).len());
        let early = left(&mut keyspace, 0..1_000);
        assert!((350..650).contains(&early), "{early}");
        evict(&mut keyspace, EvictionPolicy::AllKeysRandom, 1_000);
        assert!(!keyspace.evict_one(EvictionPolicy::AllKeysRandom, SAMPLES));
    }

    #[test]
    fn a_candidate_that_was_used_or_left_since_it_was_drawn_is_passed_over() {
        let mut keyspace = keyspace();
        fill(&mut keyspace, 0..40, |_| Expiry::Clear);
        keyspace.set_now(1_010_000);
        evict(&mut keyspace, EvictionPolicy::AllKeysLru, 5);
        assert!(!keyspace.eviction.pool.is_empty());
        let pooled: Vec<_> =
            keyspace.eviction.pool.iter().map(|one| (one.db, one.key.clone())).collect();
        let (used, gone) = pooled.split_at(pooled.len() / 2);
        for (db, key) in used {
            assert!(keyspace.database(*db).touch(key));
        }
        for (db, key) in gone {
            assert!(keyspace.database(*db).remove(key));
        }
        evict(&mut keyspace, EvictionPolicy::AllKeysLru, 35 - pooled.len());
        for (db, key) in used {
            assert!(keyspace.database(*db).contains(key));
        }
        evict(&mut keyspace, EvictionPolicy::AllKeysLru, used.len());
        assert!(!keyspace.evict_one(EvictionPolicy::AllKeysLru, SAMPLES));
    }

    #[test]
    fn an_eviction_is_an_event_and_a_change_of_a_watched_key() {
        let mut keyspace = keyspace();
        keyspace.set_interest(EventClass::EVICTED.into());
        keyspace.database(1).set_int(b"key", 1, Expiry::Clear);
        let version = keyspace.watch(1, b"key");
        evict(&mut keyspace, EvictionPolicy::AllKeysLru, 1);
        assert!(!keyspace.is_unchanged(1, b"key", version));
        let mut events = Vec::new();
        keyspace.take_events(&mut events);
        assert_eq!(
            (events.len(), events[0].kind.name, &*events[0].key),
            (1, "evicted", &b"key"[..])
        );
    }

    #[test]
    fn every_policy_has_its_name() {
        for (name, policy) in EvictionPolicy::NAMES {
            assert_eq!(EvictionPolicy::from_name(name), Some(policy));
            assert_eq!(name.starts_with("volatile-"), policy.is_volatile());
            assert_eq!(name.ends_with("-lfu"), policy.access_policy() == AccessPolicy::Lfu);
        }
        assert_eq!(EvictionPolicy::from_name("noeviction"), None);
    }
}
