use crate::entry::{Content, Entry, EntryRef, INLINE_MAX};
use crate::expiry::ExpiryPass;
use crate::key_hash::Seeded;
use crate::table::{Place, Swept, Table};

/// One database's table and the sums over it, which every change goes through.
pub(crate) struct Store {
    table: Table<Seeded>,
    sums: Sums,
    pub(crate) pass: ExpiryPass,
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
}

impl Store {
    pub(crate) fn new(key_hash: Seeded) -> Store {
        Store { table: Table::new(key_hash), sums: Sums::default(), pass: ExpiryPass::default() }
    }

    #[inline]
    pub(crate) fn table(&self) -> &Table<Seeded> {
        &self.table
    }

    pub(crate) fn expiring(&self) -> usize {
        self.sums.expiring
    }

    pub(crate) fn memory(&self) -> usize {
        self.sums.bytes + self.table.memory()
    }

    pub(crate) fn average_ttl(&self, now_ms: i64) -> i64 {
        match self.sums.expiring {
            0 => 0,
            n => (self.sums.expiries / n as i128 - i128::from(now_ms)).max(0) as i64,
        }
    }

    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) {
        self.sums.add(entry.as_ref());
        self.pass.note(entry.as_ref().expiry());
        self.table.insert(hash, entry);
    }

    pub(crate) fn replace(&mut self, place: Place, entry: Entry) -> Entry {
        self.sums.add(entry.as_ref());
        self.pass.note(entry.as_ref().expiry());
        let old = self.table.replace(place, entry);
        self.sums.subtract(old.as_ref());
        old
    }

    pub(crate) fn remove(&mut self, place: Place) -> Entry {
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
        self.sums.bytes -= memory_before;
        self.sums.bytes += self.table.entry(place).memory();
    }

    #[inline]
    pub(crate) fn object_mut(&mut self, place: Place) -> Option<&mut crate::value::Object> {
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
        let sums = &mut self.sums;
        self.table.sweep(position, now_ms, |entry| {
            sums.subtract(entry.as_ref());
            expired(entry);
        })
    }
}
