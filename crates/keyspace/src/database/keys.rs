//! What can be done with a key, whatever its value is.

use super::Database;
use crate::entry::{Content, Entry};
use crate::event::EventKind;
use crate::keyspace::Keyspace;
use crate::value::{StringRef, Type, Value, ValueRef};

impl Database<'_> {
    /// The value of any type, as if nobody had looked.
    pub fn value(&mut self, key: &[u8]) -> Option<ValueRef<'_>> {
        let place = self.locate(key)?;
        Some(self.store().table().entry(place).value())
    }

    /// The value of any type: a hit or a miss, and an access.
    pub fn read(&mut self, key: &[u8]) -> Option<ValueRef<'_>> {
        let place = self.locate_read(key)?;
        Some(self.store().table().entry(place).value())
    }

    /// The values of several keys, to be looked at together: each a hit or a miss, and an access.
    pub fn read_each(&mut self, keys: &[&[u8]]) -> Vec<Option<ValueRef<'_>>> {
        // Looking removes what has expired, which may move the rest: nothing is lent before everything was looked for.
        let found: Vec<bool> = keys.iter().map(|key| self.locate_read(key).is_some()).collect();
        let table = self.store().table();
        let value = |key: &[u8]| Some(table.entry(table.find(table.hash(key), key)?).value());
        keys.iter().zip(found).map(|(key, found)| value(key).filter(|_| found)).collect()
    }

    pub fn type_of(&mut self, key: &[u8]) -> Option<Type> {
        self.value(key).map(ValueRef::type_of)
    }

    /// A hit or a miss, but no access.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.locate_counted(key).is_some()
    }

    /// As if nobody had looked.
    pub fn contains(&mut self, key: &[u8]) -> bool {
        self.locate(key).is_some()
    }

    /// Removes a key, followed by what follows a deletion. `false` if it is not there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.delete_and(key, |_, entry| drop(entry))
    }

    /// The same, and what is large is left to the owner of the keyspace to drop.
    pub fn delete_lazily(&mut self, key: &[u8]) -> bool {
        self.delete_and(key, Keyspace::discard)
    }

    fn delete_and(&mut self, key: &[u8], dispose: fn(&mut Keyspace, Entry)) -> bool {
        let Some(entry) = self.take_entry(key) else { return false };
        self.count_change(key);
        if let Some(entry) = self.keyspace.record_removal(EventKind::DEL, self.index, entry) {
            dispose(self.keyspace, entry);
        }
        true
    }

    /// Makes way for what takes the key's place; nobody hears of it.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.take_entry(key).is_some()
    }

    /// The same, and what is large is left to the owner of the keyspace to drop.
    pub fn unlink(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.take_entry(key) else { return false };
        self.keyspace.discard(entry);
        true
    }

    /// Removes a key and hands out its value and expiry.
    pub fn take(&mut self, key: &[u8]) -> Option<(Value, Option<i64>)> {
        let entry = self.take_entry(key)?;
        let expiry = entry.as_ref().expiry();
        Some((entry.into_value(), expiry))
    }

    /// The value and its expiry go to another key, whatever that was. `false` if there is nothing to rename.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        if from == to {
            return self.contains(from);
        }
        let Some(entry) = self.take_entry(from) else { return false };
        let expiry = entry.as_ref().expiry();
        self.put_entry(entry.reshaped(Some(to), expiry));
        true
    }

    /// Copies a value and its expiry to another key, whatever that was. `false` if there is nothing to copy.
    pub fn copy_to(&mut self, from: &[u8], to_db: usize, to: &[u8]) -> bool {
        let access = self.keyspace.access.fresh();
        let Some(place) = self.locate_read(from) else { return false };
        let entry = self.store().table().entry(place);
        let content = match entry.value() {
            ValueRef::String(StringRef::Int(int)) => Content::Int(int),
            ValueRef::String(StringRef::Bytes(bytes)) if entry.is_edited() => {
                Content::Edited(bytes)
            }
            ValueRef::String(StringRef::Bytes(bytes)) => Content::Bytes(bytes),
            ValueRef::Object(object) => Content::Object(object.clone()),
        };
        let copy = Entry::new(to, content, entry.expiry(), access);
        self.other(to_db).put_entry(copy);
        true
    }

    /// The key goes to another database, unless it is there already.
    pub fn move_to(&mut self, key: &[u8], to_db: usize) -> bool {
        if self.other(to_db).contains(key) {
            return false;
        }
        let Some(entry) = self.take_entry(key) else { return false };
        self.other(to_db).put_entry(entry);
        true
    }

    /// `None` without the key, `Some(None)` without an expiry.
    pub fn expiry(&mut self, key: &[u8]) -> Option<Option<i64>> {
        let place = self.locate(key)?;
        Some(self.store().table().entry(place).expiry())
    }

    /// Lets a key expire at a time, in milliseconds since the epoch, even if that has passed. `false` without the key.
    pub fn set_expiry(&mut self, key: &[u8], at_ms: i64) -> bool {
        let Some(place) = self.locate_write(key) else { return false };
        self.store_mut().set_expiry(place, Some(at_ms));
        true
    }

    /// `false` if the key is not there or would not expire anyway.
    pub fn persist(&mut self, key: &[u8]) -> bool {
        let Some(place) = self.locate_write(key) else { return false };
        let was_expiring = self.store().table().entry(place).is_expiring();
        self.store_mut().set_expiry(place, None);
        was_expiring
    }

    /// A hit or a miss, and an access: what TOUCH does.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.locate_read(key).is_some()
    }

    pub fn idle_seconds(&mut self, key: &[u8]) -> Option<u32> {
        let place = self.locate(key)?;
        Some(self.keyspace.access.idle_seconds(self.store().table().entry(place).access()))
    }

    /// The logarithmic counter of accesses, if that is what the policy counts.
    pub fn frequency(&mut self, key: &[u8]) -> Option<u8> {
        let place = self.locate(key)?;
        Some(self.keyspace.access.frequency(self.store().table().entry(place).access()))
    }

    /// For a key that comes from elsewhere with its idle time.
    pub fn set_idle_seconds(&mut self, key: &[u8], seconds: u32) -> bool {
        let Some(place) = self.locate(key) else { return false };
        let access = self.keyspace.access.with_idle_seconds(seconds);
        self.store_mut().set_access(place, access);
        true
    }

    /// For a key that comes from elsewhere with its counter.
    pub fn set_frequency(&mut self, key: &[u8], counter: u8) -> bool {
        let Some(place) = self.locate(key) else { return false };
        let access = self.keyspace.access.with_frequency(counter);
        self.store_mut().set_access(place, access);
        true
    }

    /// The string was made by changing another: OBJECT ENCODING calls it `raw` at any length.
    pub fn is_edited(&mut self, key: &[u8]) -> bool {
        self.locate(key).is_some_and(|place| self.store().table().entry(place).is_edited())
    }

    /// The bytes of the entry and of all that belongs to it.
    pub fn entry_memory(&mut self, key: &[u8]) -> Option<usize> {
        let place = self.locate(key)?;
        Some(self.store().table().entry(place).memory())
    }

    /// Any key, each about as likely as the others.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        loop {
            let (stores, random) = (&self.keyspace.stores, &mut self.keyspace.random);
            let entry = stores[self.index].table().random(|| random.draw())?;
            let key = entry.key().to_vec();
            // Looking for it removes it if it has expired, so this ends.
            if self.contains(&key) {
                return Some(key);
            }
        }
    }

    fn take_entry(&mut self, key: &[u8]) -> Option<Entry> {
        let place = self.locate(key)?;
        Some(self.store_mut().remove(place))
    }

    fn put_entry(&mut self, entry: Entry) {
        let key = entry.as_ref().key();
        let hash = self.hash(key);
        match self.keyspace.locate(self.index, hash, key) {
            Some(place) => drop(self.store_mut().replace(place, entry)),
            None => self.add_entry(hash, entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expiry, Keyspace, List, Object, Options};

    fn keyspace() -> Keyspace {
        let mut keyspace = Keyspace::new(Options { databases: 2, seed: 42 });
        keyspace.set_now(1_000);
        let mut database = keyspace.database(0);
        database.set_string(b"short", b"value", Expiry::At(9_000));
        database.set_string(b"long", &[7; 5_000], Expiry::Clear);
        database.insert(b"list", Object::List(List::default()), Expiry::At(9_001));
        keyspace
    }

    #[test]
    fn a_renamed_key_takes_value_and_expiry_along() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        assert!(database.rename(b"short", b"long"));
        assert!(database.rename(b"list", b"a new name"));
        assert!(!database.rename(b"short", b"anything"));
        assert!(database.rename(b"long", b"long"));
        assert_eq!(database.string(b"long"), Ok(Some(StringRef::Bytes(b"value"))));
        assert_eq!(database.expiry(b"long"), Some(Some(9_000)));
        assert_eq!(database.type_of(b"a new name"), Some(Type::List));
        assert_eq!(database.expiry(b"a new name"), Some(Some(9_001)));
        assert_eq!(database.len(), 2);
    }

    #[test]
    fn a_copy_is_independent_and_a_move_is_refused_by_a_key_that_is_there() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        assert!(database.copy_to(b"long", 1, b"copy"));
        assert!(database.copy_to(b"short", 0, b"copy"));
        assert!(!database.copy_to(b"missing", 1, b"copy"));
        database.other(1).modify_bytes(b"copy", |bytes| bytes[0] = 8).expect("a string");
        assert!(
            matches!(database.take(b"long"), Some((Value::String(bytes), None)) if bytes == [7; 5_000])
        );
        assert!(!database.move_to(b"copy", 1));
        assert!(database.move_to(b"list", 1));
        assert_eq!(database.other(1).expiry(b"list"), Some(Some(9_001)));
        assert!(!database.contains(b"list"));
        assert!(!database.move_to(b"missing", 1));
    }

    #[test]
    fn persist_is_true_once() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        assert!(database.persist(b"list"));
        assert!(!database.persist(b"list"));
        assert!(!database.persist(b"missing"));
        assert!(!database.set_expiry(b"missing", 5_000));
        assert_eq!(database.expiry(b"list"), Some(None));
        assert_eq!(database.expiry(b"missing"), None);
    }

    #[test]
    fn only_reads_and_writes_end_idleness() {
        let mut keyspace = keyspace();
        keyspace.set_now(8_500);
        let mut database = keyspace.database(0);
        assert!(database.exists(b"short") && database.contains(b"short"));
        database.value(b"short").expect("it is there");
        assert_eq!(database.idle_seconds(b"short"), Some(7));
        assert!(database.touch(b"short"));
        assert_eq!(database.idle_seconds(b"short"), Some(0));
        assert!(database.set_idle_seconds(b"short", 100));
        assert_eq!(database.idle_seconds(b"short"), Some(100));
    }

    #[test]
    fn a_random_key_is_never_one_that_expired() {
        let mut keyspace = keyspace();
        keyspace.set_now(10_000);
        let mut database = keyspace.database(0);
        for _ in 0..10 {
            assert_eq!(database.random_key().as_deref(), Some(&b"long"[..]));
        }
        assert!(database.unlink(b"long"));
        assert_eq!(database.random_key(), None);
    }

    #[test]
    fn values_are_read_together_without_those_that_have_expired() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        let mut database = keyspace.database(0);
        database.set_string(b"a", b"one", Expiry::Clear);
        database.set_string(b"b", b"two", Expiry::At(5));
        keyspace.set_now(10);

        let mut database = keyspace.database(0);
        let values = database.read_each(&[b"b", b"a", b"nosuch", b"a"]);
        let is_one = |value: &Option<ValueRef<'_>>| {
            matches!(value, Some(ValueRef::String(StringRef::Bytes(b"one"))))
        };
        assert_eq!(values.iter().map(is_one).collect::<Vec<_>>(), [false, true, false, true]);
        assert!(values[0].is_none() && values[2].is_none());
    }
}
