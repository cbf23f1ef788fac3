//! One database, as commands see it.

mod keys;
mod objects;
mod strings;

use crate::access::AccessPolicy;
use crate::entry::{Content, Entry};
use crate::event::EventKind;
use crate::expiry::Expiry;
use crate::keyspace::Keyspace;
use crate::random::Random;
use crate::store::Store;
use crate::table::Place;
use crate::value::stream::BlockLimits;
use crate::value::{Limits, ValueRef};

/// A view: the keyspace, and which of its databases is meant.
///
/// Methods that write do not record what happened, because its name is the command's: see [`Database::changed`].
pub struct Database<'a> {
    pub(crate) keyspace: &'a mut Keyspace,
    pub(crate) index: usize,
}

impl Database<'_> {
    pub fn index(&self) -> usize {
        self.index
    }

    pub fn now_ms(&self) -> i64 {
        self.keyspace.now_ms()
    }

    /// How many keys there are, with those that have expired and that nobody has noticed yet.
    pub fn len(&self) -> usize {
        self.store().table().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn databases(&self) -> usize {
        self.keyspace.databases()
    }

    /// # Panics
    /// If there is no database of this number.
    pub fn other(&mut self, index: usize) -> Database<'_> {
        self.keyspace.database(index)
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.store().table().hash(key)
    }

    /// A generator of its own, seeded by the keyspace's: it can be used while values are borrowed.
    pub fn generator(&mut self) -> Random {
        Random::new(self.keyspace.random.draw())
    }

    pub fn access_policy(&self) -> AccessPolicy {
        self.keyspace.access_policy()
    }

    pub fn limits(&self) -> Limits {
        self.keyspace.limits
    }

    pub fn stream_limits(&self) -> BlockLimits {
        self.keyspace.stream_limits
    }

    /// A pure hint: brings the entries of these keys near, for commands that visit many.
    pub fn prefetch(&self, keys: &[&[u8]]) {
        let hashes = keys.iter().map(|key| self.hash(key));
        let table = self.store().table();
        for hash in hashes.clone() {
            table.prefetch_bucket(hash);
        }
        for hash in hashes {
            table.prefetch_entry(hash);
        }
    }

    /// Removes every key, and says how many they were.
    pub fn flush(&mut self) -> u64 {
        self.keyspace.flush(self.index)
    }

    /// What follows every write, once: the change counts, who watches the key will know, the event is recorded if anybody
    /// cares, and a collection that was left empty is removed.
    pub fn changed(&mut self, event: EventKind, key: &[u8]) {
        self.count_change(key);
        self.notify(event, key);
        if event.may_empty {
            self.remove_if_empty(key);
        }
    }

    pub(super) fn count_change(&mut self, key: &[u8]) {
        self.keyspace.dirty += 1;
        self.keyspace.watches.touch(self.index, key);
        self.keyspace.awaited.written(self.index, key);
    }

    /// A change without an event, which nobody who watches or awaits a key hears of: what was delivered, claimed or
    /// acknowledged is the business of a stream's group. It counts, so that the change is kept.
    #[inline]
    pub fn changed_quietly(&mut self) {
        self.keyspace.dirty += 1;
    }

    /// An event without a change.
    #[inline]
    pub fn notify(&mut self, event: EventKind, key: &[u8]) {
        self.keyspace.record(event, self.index, key);
    }

    fn remove_if_empty(&mut self, key: &[u8]) {
        let Some(place) = self.store().table().find(self.hash(key), key) else { return };
        let is_empty = match self.store().table().entry(place).value() {
            ValueRef::Object(object) => object.is_empty(),
            ValueRef::String(_) => false,
        };
        if is_empty {
            self.store_mut().remove(place);
            match self.keyspace.removals.recall(self.index, key) {
                Some(removed) => {
                    let (db, key) = (self.index, key.into());
                    self.keyspace.record_removed(EventKind::DEL, db, key, removed);
                }
                None => self.notify(EventKind::DEL, key),
            }
        }
    }
}

/// What the chapters are made of.
impl Database<'_> {
    #[inline]
    pub(crate) fn store(&self) -> &Store {
        &self.keyspace.stores[self.index]
    }

    #[inline]
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.keyspace.stores[self.index]
    }

    /// Finds a key that has not expired, and nothing else.
    #[inline]
    fn locate(&mut self, key: &[u8]) -> Option<Place> {
        let hash = self.hash(key);
        self.keyspace.locate(self.index, hash, key)
    }

    /// Finds a key for a command that reads it: a hit or a miss, and an access.
    #[inline]
    fn locate_read(&mut self, key: &[u8]) -> Option<Place> {
        let place = self.locate_counted(key)?;
        self.touch_place(place);
        Some(place)
    }

    #[inline]
    fn locate_counted(&mut self, key: &[u8]) -> Option<Place> {
        let place = self.locate(key);
        if place.is_some() {
            self.keyspace.statistics.hits += 1;
        } else {
            self.keyspace.statistics.misses += 1;
            self.notify(EventKind::KEYMISS, key);
        }
        place
    }

    /// Finds a key for a command that writes it: an access.
    #[inline]
    fn locate_write(&mut self, key: &[u8]) -> Option<Place> {
        let place = self.locate(key)?;
        self.touch_place(place);
        Some(place)
    }

    #[inline]
    fn touch_place(&mut self, place: Place) {
        let old = self.store().table().entry(place).access();
        let new = self.keyspace.access.touched(old);
        // Most accesses fall in a second that the entry knows: its line stays clean.
        if new != old {
            self.store_mut().set_access(place, new);
        }
    }

    /// Gives a key a value, whatever it had before.
    fn put(&mut self, key: &[u8], content: Content<'_>, expiry: Expiry) {
        let hash = self.hash(key);
        match self.keyspace.locate(self.index, hash, key) {
            Some(place) => self.put_at(place, key, content, expiry),
            None => self.add(hash, key, content, expiry.over(None)),
        }
    }

    fn put_at(&mut self, place: Place, key: &[u8], content: Content<'_>, expiry: Expiry) {
        let entry = self.store().table().entry(place);
        let (old, access) = (entry.expiry(), entry.access());
        // A key that is written again and again is one that is used: its count goes on.
        let access = self.keyspace.access.touched(access);
        let store = self.store_mut();
        let new = expiry.over(old);
        // Where the place for an expiry comes or goes, the allocation cannot stay.
        if old.is_some() == new.is_some() && store.overwrite(place, &content) {
            store.set_expiry(place, new);
            store.set_access(place, access);
            return;
        }
        drop(store.replace(place, Entry::new(key, content, new, access)));
    }

    /// Adds a key that is not there.
    fn add(&mut self, hash: u64, key: &[u8], content: Content<'_>, expiry: Option<i64>) {
        let entry = Entry::new(key, content, expiry, self.keyspace.access.fresh());
        self.add_entry(hash, entry);
    }

    fn add_entry(&mut self, hash: u64, entry: Entry) {
        self.keyspace.record(EventKind::NEW, self.index, entry.as_ref().key());
        self.store_mut().insert(hash, entry);
    }
}
