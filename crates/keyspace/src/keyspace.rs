use crate::access::{AccessClock, AccessPolicy, LfuOptions};
use crate::awaited::Awaited;
use crate::database::Database;
use crate::entry::Entry;
use crate::event::{Event, EventKind, Interest};
use crate::expiry::{ExpiryCycle, has_passed};
use crate::key_hash::{KeyHash, Seeded};
use crate::lazy::{Garbage, Sink};
use crate::random::Random;
use crate::statistics::{DatabaseStatistics, Statistics};
use crate::store::Store;
use crate::table::Place;
use crate::value::Limits;
use crate::value::stream::BlockLimits;
use crate::watch::{WatchVersion, Watches};

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub databases: usize,
    /// For the hash of keys. Who knows it can make keys collide.
    pub seed: u64,
}

/// All databases, and what they share: the clock, events, watched keys and statistics.
pub struct Keyspace {
    pub(crate) stores: Vec<Store>,
    key_hash: Seeded,
    now_ms: i64,
    pub(crate) access: AccessClock,
    pub(crate) dirty: u64,
    interest: Interest,
    events: Vec<Event>,
    pub(crate) watches: Watches,
    pub(crate) awaited: Awaited,
    pub(crate) random: Random,
    /// Up to where collections stay packed; the owner's to set.
    pub limits: Limits,
    pub stream_limits: BlockLimits,
    pub(crate) statistics: Statistics,
    pub(crate) cycle: ExpiryCycle,
    sink: Sink,
}

impl Keyspace {
    pub fn new(options: Options) -> Keyspace {
        let key_hash = Seeded::new(options.seed);
        Keyspace {
            stores: (0..options.databases).map(|_| Store::new(key_hash.clone())).collect(),
            key_hash,
            now_ms: 0,
            access: AccessClock::new(options.seed),
            dirty: 0,
            interest: Interest::EMPTY,
            events: Vec::new(),
            watches: Watches::new(options.databases),
            awaited: Awaited::new(options.databases),
            random: Random::new(options.seed),
            limits: Limits::default(),
            stream_limits: BlockLimits::default(),
            statistics: Statistics::default(),
            cycle: ExpiryCycle::default(),
            sink: Box::new(drop),
        }
    }

    pub fn databases(&self) -> usize {
        self.stores.len()
    }

    /// # Panics
    /// If there is no database of this number.
    #[inline]
    pub fn database(&mut self, index: usize) -> Database<'_> {
        assert!(index < self.stores.len(), "there is no database {index}");
        Database { keyspace: self, index }
    }

    /// The one clock: nothing here asks another.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        self.access.set_now(now_ms);
    }

    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Entries keep what they have counted: the first figures after a change of policy mean little, as in Redis.
    pub fn set_access_policy(&mut self, policy: AccessPolicy, lfu: LfuOptions) {
        self.access.policy = policy;
        self.access.lfu = lfu;
    }

    pub fn access_policy(&self) -> AccessPolicy {
        self.access.policy
    }

    /// Who drops what is too large to be dropped here; by default it is dropped here.
    pub fn set_sink(&mut self, sink: Sink) {
        self.sink = sink;
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.stores.swap(a, b);
        let stores = &self.stores;
        for db in [a, b] {
            self.watches.touch_all(db, |key| {
                let hash = self.key_hash.hash(key);
                [a, b].iter().any(|&db| stores[db].table().find(hash, key).is_some())
            });
        }
        [a, b].iter().for_each(|&db| self.awaited.all_written(db));
        self.cycle.restart();
        self.dirty += 1;
    }

    /// Removes every key of every database, and says how many they were.
    pub fn flush_all(&mut self) -> u64 {
        (0..self.databases()).map(|db| self.flush(db)).sum()
    }

    pub(crate) fn flush(&mut self, db: usize) -> u64 {
        let store = std::mem::replace(&mut self.stores[db], Store::new(self.key_hash.clone()));
        let table = store.table();
        self.watches.touch_all(db, |key| table.find(table.hash(key), key).is_some());
        let keys = table.len() as u64;
        self.dirty += keys;
        if let Some(garbage) = Garbage::of_store(store) {
            (self.sink)(garbage);
        }
        keys
    }

    /// How many changes there were since the start.
    #[inline]
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub fn reset_statistics(&mut self) {
        self.statistics = Statistics::default();
    }

    pub fn database_statistics(&self, db: usize) -> DatabaseStatistics {
        let store = &self.stores[db];
        DatabaseStatistics {
            keys: store.table().len(),
            expiring: store.expiring(),
            average_ttl_ms: store.average_ttl(self.now_ms),
        }
    }

    /// The bytes of tables, entries and strings. What is inside of objects is known to the allocator only.
    pub fn used_memory(&self) -> usize {
        self.stores.iter().map(Store::memory).sum()
    }

    /// A pure hint: the bucket that a search for this hash reads first.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, hash: u64) {
        self.stores[db].table().prefetch_bucket(hash);
    }

    /// A pure hint: the entries that a search for this hash compares. Worth it once the bucket is there.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, hash: u64) {
        self.stores[db].table().prefetch_entry(hash);
    }
}

/// Events.
impl Keyspace {
    /// Which classes of events are recorded; the others cost nothing.
    pub fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
    }

    pub fn interest(&self) -> Interest {
        self.interest
    }

    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Moves the events recorded so far, oldest first, to the end of `into`.
    pub fn take_events(&mut self, into: &mut Vec<Event>) {
        into.append(&mut self.events);
    }

    #[inline]
    pub(crate) fn record(&mut self, kind: EventKind, db: usize, key: &[u8]) {
        if self.interest.contains(kind.class) {
            self.events.push(Event { kind, db, key: key.into() });
        }
    }
}

/// Watched keys.
impl Keyspace {
    /// Begins to watch a key, once for each call. A key that has expired by now is watched as one that does not exist.
    pub fn watch(&mut self, db: usize, key: &[u8]) -> WatchVersion {
        let hash = self.key_hash.hash(key);
        self.locate(db, hash, key);
        self.watches.add(db, key)
    }

    /// Takes one [`Keyspace::watch`] back.
    pub fn unwatch(&mut self, db: usize, key: &[u8]) {
        self.watches.remove(db, key);
    }

    /// Whether a key that is still watched is as it was. To have expired is a change, whether or not anybody noticed.
    pub fn is_unchanged(&mut self, db: usize, key: &[u8], version: WatchVersion) -> bool {
        let hash = self.key_hash.hash(key);
        self.locate(db, hash, key);
        self.watches.is_unchanged(db, key, version)
    }
}

/// Keys that blocked clients wait for.
impl Keyspace {
    /// Begins to wait for writes to a key, once for each call.
    pub fn await_key(&mut self, db: usize, key: &[u8]) {
        self.awaited.add(db, key);
    }

    /// Takes one [`Keyspace::await_key`] back.
    pub fn stop_awaiting(&mut self, db: usize, key: &[u8]) {
        self.awaited.remove(db, key);
    }

    #[inline]
    pub fn has_ready_keys(&self) -> bool {
        self.awaited.has_ready()
    }

    /// The awaited keys that were written since the last call, in that order.
    pub fn take_ready_keys(&mut self) -> Vec<(usize, Box<[u8]>)> {
        self.awaited.take_ready()
    }
}

/// What every access to a key begins with, and every removal ends with.
impl Keyspace {
    /// Finds a key, unless it has expired: then it is removed.
    #[inline]
    pub(crate) fn locate(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Place> {
        let table = self.stores[db].table();
        let place = table.find(hash, key)?;
        if table.entry(place).expiry().is_some_and(|ms| has_passed(ms, self.now_ms)) {
            let entry = self.stores[db].remove(place);
            self.after_expiry(db, entry);
            return None;
        }
        Some(place)
    }

    #[cold]
    pub(crate) fn after_expiry(&mut self, db: usize, entry: Entry) {
        let key = entry.as_ref().key();
        self.statistics.expired_keys += 1;
        self.watches.touch(db, key);
        self.record(EventKind::EXPIRED, db, key);
        self.discard(entry);
    }

    /// Drops an entry, elsewhere if that takes long.
    pub(crate) fn discard(&mut self, entry: Entry) {
        if let Some(garbage) = Garbage::of_entry(entry) {
            (self.sink)(garbage);
        }
    }
}
