use crate::entry::{Content, Entry, EntryRef, INLINE_MAX};
use crate::expiry::ExpiryPass;
use crate::key_hash::Seeded;
use crate::table::{Place, Swept, Table};
use crate::value::Object;

/// One database's table and the sums over it, which every change goes through.
pub(crate) struct Store {
    table: Table<Seeded>,
    sums: Sums,
    lent: Option<Lent>,
    pub(crate) pass: ExpiryPass,
}

/// An object that was lent to be changed. What it has grown by since is not among the sums: nobody says when the change is
/// over, so it is looked up again before the next one, and before its place is lost.
struct Lent {
    place: Place,
    memory: usize,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    bytes: usize,
    expiring: usize,
    /// Of all expiries; with their number it gives the average TTL. Cannot overflow: 2^64 summands fit.
    expiries: i128,
}

impl Sums {
    #[inline]
    fn add(&mut self, entry: EntryRef<'_>) {
        self.bytes += entry.memory();
        if let Some(ms) = entry.expiry() {
            self.expiring += 1;
            self.expiries += i128::from(ms);
        }
    }

    #[inline]
    fn subtract(&mut self, entry: EntryRef<'_>) {
        self.bytes -= entry.memory();
        if let Some(ms) = entry.expiry() {
            self.expiring -= 1;
            self.expiries -= i128::from(ms);
        }
    }

    #[inline]
    fn resize(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes - before + after;
    }
}

impl Store {
    pub(crate) fn new(key_hash: Seeded) -> Store {
        Store {
            table: Table::new(key_hash),
            sums: Sums::default(),
            lent: None,
            pass: ExpiryPass::default(),
        }
    }

    #[inline]
    pub(crate) fn table(&self) -> &Table<Seeded> {
        &self.table
    }

    /// Where a key lies, whether or not it has expired.
    pub(crate) fn place_of(&self, key: &[u8]) -> Option<Place> {
        self.table.find(self.table.hash(key), key)
    }

    pub(crate) fn expiring(&self) -> usize {
        self.sums.expiring
    }

    pub(crate) fn memory(&self) -> usize {
        let sum = self.sums.bytes + self.table.memory();
        match &self.lent {
            Some(lent) => sum - lent.memory + self.table.entry(lent.place).memory(),
            None => sum,
        }
    }

    #[inline]
    fn settle(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.account_resize(lent.place, lent.memory);
        }
    }

    pub(crate) fn average_ttl(&self, now_ms: i64) -> i64 {
        match self.sums.expiring {
            0 => 0,
            n => (self.sums.expiries / n as i128 - i128::from(now_ms)).max(0) as i64,
        }
    }

    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) {
        self.settle();
        self.sums.add(entry.as_ref());
        self.pass.note(entry.as_ref().expiry());
        self.table.insert(hash, entry);
    }

    pub(crate) fn replace(&mut self, place: Place, entry: Entry) -> Entry {
        self.settle();
        self.sums.add(entry.as_ref());
        self.pass.note(entry.as_ref().expiry());
        let old = self.table.replace(place, entry);
        self.sums.subtract(old.as_ref());
        old
    }

    pub(crate) fn remove(&mut self, place: Place) -> Entry {
        self.settle();
        let entry = self.table.remove(place);
        self.sums.subtract(entry.as_ref());
        entry
    }

    /// Writes over the value where it is, if its allocation and its expiry's place allow.
    #[inline]
    pub(crate) fn overwrite(&mut self, place: Place, content: &Content<'_>) -> bool {
        let mut entry = self.table.entry_mut(place);
        match content {
            // The vector that a long string has is used again, unless it is far too large.
            Content::Bytes(bytes) if bytes.len() > INLINE_MAX => {
                let memory = entry.as_ref().memory();
                let Some(vec) = entry.big() else { return false };
                if vec.capacity() / 2 > bytes.len() {
                    return false;
                }
                vec.clear();
                vec.extend_from_slice(bytes);
                self.account_resize(place, memory);
                true
            }
            content => entry.overwrite(content),
        }
    }

    /// Lends a string that lives outside of its entry.
    pub(crate) fn change_big<R, F: FnOnce(&mut Vec<u8>) -> R>(
        &mut self,
        place: Place,
        f: F,
    ) -> Result<R, F> {
        let memory = self.table.entry(place).memory();
        let Some(vec) = self.table.entry_mut(place).big() else { return Err(f) };
        let result = f(vec);
        self.account_resize(place, memory);
        Ok(result)
    }

    fn account_resize(&mut self, place: Place, memory_before: usize) {
        self.sums.resize(memory_before, self.table.entry(place).memory());
    }

    #[inline]
    pub(crate) fn object_mut(&mut self, place: Place) -> Option<&mut Object> {
        let memory = self.table.entry(place).memory();
        if let Some(last) = self.lent.replace(Lent { place, memory }) {
            // As a rule the one that was changed last is changed again.
            let now =
                if last.place == place { memory } else { self.table.entry(last.place).memory() };
            self.sums.resize(last.memory, now);
        }
        self.table.entry_mut(place).object()
    }

    #[inline]
    pub(crate) fn set_access(&mut self, place: Place, access: u32) {
        self.table.entry_mut(place).set_access(access);
    }

    pub(crate) fn set_expiry(&mut self, place: Place, expiry: Option<i64>) {
        let entry = self.table.entry(place);
        if entry.expiry() == expiry {
            return;
        }
        self.settle();
        let entry = self.table.entry(place);
        self.sums.subtract(entry);
        let in_place = expiry.is_some_and(|ms| self.table.set_expiry(place, ms));
        if !in_place {
            self.table.reshape(place, expiry);
        }
        self.sums.add(self.table.entry(place));
        self.pass.note(expiry);
    }

    pub(crate) fn sweep(
        &mut self,
        position: u64,
        now_ms: i64,
        mut expired: impl FnMut(Entry),
    ) -> Option<Swept> {
        self.settle();
        let sums = &mut self.sums;
        self.table.sweep(position, now_ms, |entry| {
            sums.subtract(entry.as_ref());
            expired(entry);
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{EventKind, Expiry, Hash, Keyspace, List, Options, Stream};

    /// What the sums should be, counted entry by entry.
    fn counted(keyspace: &Keyspace) -> usize {
        let store = &keyspace.stores[0];
        let mut sum = store.table().memory();
        store.table().for_each(|entry| sum += entry.memory());
        sum
    }

    #[test]
    fn collections_are_accounted_as_they_grow_shrink_and_go() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 1 });
        let limits = keyspace.limits;
        let empty = keyspace.used_memory();
        for n in 0..2_000_u32 {
            let mut database = keyspace.database(0);
            let value = vec![7; n as usize % 300];
            let key = [b'a' + (n % 3) as u8];
            match n % 3 {
                0 => {
                    let list = database.get_or_insert::<List>(&key).expect("a list");
                    list.push_back(&value, &limits);
                }
                1 => {
                    let hash = database.get_or_insert::<Hash>(&key).expect("a hash");
                    hash.set(&n.to_be_bytes(), &value, &limits);
                }
                _ => _ = database.get_or_insert::<Stream>(&key).expect("a stream"),
            }
            if n % 7 == 0 {
                database.set_expiry(&key, i64::from(n) + 1);
            }
            if n % 11 == 0 {
                database.persist(&key);
                database.set_string(&n.to_be_bytes(), &value, Expiry::Clear);
            }
            assert_eq!(keyspace.used_memory(), counted(&keyspace), "{n}");
        }
        assert!(keyspace.used_memory() > 1_300 * 150);

        let mut database = keyspace.database(0);
        while let Ok(Some(list)) = database.get_mut::<List>(b"a") {
            list.pop_front();
            database.changed(EventKind::LPOP, b"a");
            assert_eq!(database.keyspace.used_memory(), counted(database.keyspace));
            database = keyspace.database(0);
        }
        assert!(database.rename(b"b", b"renamed"));
        assert_eq!(keyspace.used_memory(), counted(&keyspace));
        keyspace.flush_all();
        assert_eq!(keyspace.used_memory(), empty);
    }
}
