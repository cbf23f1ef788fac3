use crate::access::{AccessClock, AccessPolicy, LfuOptions};
use crate::awaited::Awaited;
use crate::database::Database;
use crate::entry::Entry;
use crate::event::{Event, EventKind, Interest};
use crate::eviction::Eviction;
use crate::expiry::{ExpiryCycle, has_passed};
use crate::key_hash::{KeyHash, Seeded};
use crate::lazy::{Garbage, Sink};
use crate::random::Random;
use crate::removal::{Removals, Removed, WantedRemoval};
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
    pub(crate) removals: Removals,
    pub(crate) watches: Watches,
    pub(crate) awaited: Awaited,
    pub(crate) random: Random,
    /// Up to where collections stay packed; the owner's to set.
    pub limits: Limits,
    pub stream_limits: BlockLimits,
    pub(crate) statistics: Statistics,
    pub(crate) cycle: ExpiryCycle,
    pub(crate) eviction: Eviction,
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
            removals: Removals::default(),
            watches: Watches::new(options.databases),
            awaited: Awaited::new(options.databases),
            random: Random::new(options.seed),
            limits: Limits::default(),
            stream_limits: BlockLimits::default(),
            statistics: Statistics::default(),
            cycle: ExpiryCycle::default(),
            eviction: Eviction::default(),
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

    /// The bytes of tables, entries and all that belongs to them, as asked of the allocator; what is large in an object is
    /// estimated.
    pub fn used_memory(&self) -> usize {
        self.stores.iter().map(Store::memory).sum()
    }

    /// The hash under which every database keeps this key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.key_hash.hash(key)
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
            self.events.push(Event { kind, db, key: key.into(), removed: None });
        }
    }

    /// Whose removal brings along what the key held; the others cost a look at whether there are any.
    pub fn want_removed(&mut self, wanted: Vec<WantedRemoval>) {
        self.removals.want(wanted);
    }

    /// An event that an entry has gone with. Gives the entry back, unless somebody wants it.
    #[inline]
    pub(crate) fn record_removal(
        &mut self,
        kind: EventKind,
        db: usize,
        entry: Entry,
    ) -> Option<Entry> {
        let key = entry.as_ref().key();
        if !self.removals.are_wanted() || !self.removals.want_one(kind, db, key) {
            self.record(kind, db, key);
            return Some(entry);
        }
        let key = key.into();
        self.record_removed(kind, db, key, Removed::new(entry));
        None
    }

    pub(crate) fn record_removed(
        &mut self,
        kind: EventKind,
        db: usize,
        key: Box<[u8]>,
        removed: Removed,
    ) {
        self.events.push(Event { kind, db, key, removed: Some(Box::new(removed)) });
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
        if let Some(entry) = self.record_removal(EventKind::EXPIRED, db, entry) {
            self.discard(entry);
        }
    }

    /// Drops an entry, elsewhere if that takes long.
    pub(crate) fn discard(&mut self, entry: Entry) {
        if let Some(garbage) = Garbage::of_entry(entry) {
            (self.sink)(garbage);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::{EventClass, Expiry, List};

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(Options { databases: 2, seed: 42 });
        keyspace.set_now(1_000);
        keyspace
    }

    fn events(keyspace: &mut Keyspace) -> Vec<(&'static str, Box<[u8]>)> {
        let mut events = Vec::new();
        keyspace.take_events(&mut events);
        events.into_iter().map(|event| (event.kind.name, event.key)).collect()
    }

    #[test]
    fn only_events_of_interest_are_recorded() {
        let mut keyspace = keyspace();
        keyspace.database(0).changed(EventKind::SET, b"key");
        assert!(!keyspace.has_events());

        keyspace.set_interest(EventClass::STRING | EventClass::KEYMISS);
        assert_eq!(keyspace.database(1).string(b"key"), Ok(None));
        keyspace.database(1).set_string(b"key", b"value", Expiry::Clear);
        keyspace.database(1).changed(EventKind::SET, b"key");
        keyspace.database(1).changed(EventKind::DEL, b"key");
        assert_eq!(
            events(&mut keyspace),
            [("keymiss", (*b"key").into()), ("set", (*b"key").into())]
        );
        assert!(!keyspace.has_events());
        assert_eq!(keyspace.dirty(), 3);
    }

    #[test]
    fn a_collection_that_is_left_empty_is_removed_and_a_stream_is_not() {
        let mut keyspace = keyspace();
        keyspace.set_interest(Interest::ALL);
        let mut database = keyspace.database(0);
        database.get_or_insert::<List>(b"list").expect("a new key is what it is made");
        assert!(database.contains(b"list"));
        database.changed(EventKind::LPOP, b"list");
        assert!(!database.contains(b"list"));
        database.get_or_insert::<crate::Stream>(b"stream").expect("a new key is what it is made");
        database.changed(EventKind::XDEL, b"stream");
        assert!(database.contains(b"stream"));
        let names: Vec<_> = events(&mut keyspace).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["new", "lpop", "del", "new", "xdel"]);
        assert_eq!(keyspace.dirty(), 2);
    }

    #[test]
    fn a_watched_key_is_changed_by_whatever_is_done_to_it_and_by_nothing_else() {
        let mut keyspace = keyspace();
        keyspace.database(0).set_string(b"key", b"1", Expiry::Clear);
        let changes: [fn(&mut Keyspace); 6] = [
            |keyspace| keyspace.database(0).changed(EventKind::SET, b"key"),
            |keyspace| {
                keyspace.database(0).set_expiry(b"key", 1_000);
                keyspace.set_now(2_000);
            },
            |keyspace| keyspace.swap(0, 1),
            |keyspace| _ = keyspace.flush_all(),
            |keyspace| _ = keyspace.database(0).flush(),
            |keyspace| {
                keyspace.database(0).set_expiry(b"key", 1_000);
                keyspace.set_now(2_000);
                assert_eq!(keyspace.expire_cycle(1_000), 1);
            },
        ];
        for change in changes {
            keyspace.set_now(1_000);
            keyspace.database(0).set_string(b"key", b"1", Expiry::Clear);
            let version = keyspace.watch(0, b"key");
            keyspace.database(0).changed(EventKind::SET, b"other");
            keyspace.database(1).changed(EventKind::SET, b"key");
            assert!(keyspace.is_unchanged(0, b"key", version));
            change(&mut keyspace);
            assert!(!keyspace.is_unchanged(0, b"key", version));
            keyspace.unwatch(0, b"key");
            assert!(keyspace.watches.is_empty());
        }
    }

    #[test]
    fn a_missing_key_stays_unchanged_through_flush_and_swap() {
        let mut keyspace = keyspace();
        keyspace.database(0).set_string(b"expired", b"1", Expiry::At(0));
        let missing = keyspace.watch(0, b"missing");
        let expired = keyspace.watch(0, b"expired");
        keyspace.swap(0, 1);
        keyspace.flush_all();
        assert!(keyspace.is_unchanged(0, b"missing", missing));
        assert!(keyspace.is_unchanged(0, b"expired", expired));
    }

    #[test]
    fn each_watcher_sees_the_changes_since_it_began() {
        let mut keyspace = keyspace();
        let first = keyspace.watch(0, b"key");
        keyspace.database(0).changed(EventKind::SET, b"key");
        let second = keyspace.watch(0, b"key");
        assert!(!keyspace.is_unchanged(0, b"key", first));
        assert!(keyspace.is_unchanged(0, b"key", second));
        keyspace.unwatch(0, b"key");
        assert!(keyspace.is_unchanged(0, b"key", second));
    }

    #[test]
    fn a_swap_exchanges_all_keys() {
        let mut keyspace = keyspace();
        keyspace.database(0).set_string(b"key", b"1", Expiry::Clear);
        keyspace.swap(0, 1);
        assert!(keyspace.database(0).is_empty());
        assert!(keyspace.database(1).contains(b"key"));
    }

    #[test]
    fn only_what_is_large_and_unlinked_goes_to_the_sink() {
        let mut keyspace = keyspace();
        let garbage = Rc::new(Cell::new(0));
        let count = Rc::clone(&garbage);
        keyspace.set_sink(Box::new(move |_| count.set(count.get() + 1)));
        let limits = keyspace.limits;
        let mut database = keyspace.database(0);
        for (key, elements) in [(&b"small"[..], 3), (b"large", 1_000), (b"removed", 1_000)] {
            for _ in 0..elements {
                let list = database.get_or_insert::<List>(key).expect("a list");
                list.push_back(&[7; 1_000], &limits);
            }
            database.changed(EventKind::RPUSH, key);
        }
        assert!(database.entry_memory(b"large").expect("it is there") > 1_000_000);
        assert!(database.unlink(b"small") && database.unlink(b"large"));
        assert!(database.remove(b"removed"));
        assert_eq!(garbage.get(), 1);
    }

    #[test]
    fn a_flush_hands_its_keys_to_the_sink_and_returns_their_memory() {
        let mut keyspace = keyspace();
        let garbage = Rc::new(Cell::new(0));
        let count = Rc::clone(&garbage);
        keyspace.set_sink(Box::new(move |_| count.set(count.get() + 1)));
        for n in 0..100 {
            keyspace.database(0).set_int(format!("{n}").as_bytes(), n, Expiry::Clear);
        }
        keyspace.database(1).set_string(b"key", &[1; 5_000], Expiry::Clear);
        assert!(keyspace.used_memory() > 100 * 24 + 5_000);
        assert_eq!(keyspace.flush_all(), 101);
        assert_eq!(garbage.get(), 1);
        assert_eq!(keyspace.used_memory(), 0);
    }
}
