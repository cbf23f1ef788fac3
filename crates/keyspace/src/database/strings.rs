use super::Database;
use crate::entry::Content;
use crate::expiry::Expiry;
use crate::value::{StringRef, ValueRef, WrongType, canonical_int};

impl Database<'_> {
    /// Reads a string: a hit or a miss, and an access.
    #[inline]
    pub fn string(&mut self, key: &[u8]) -> Result<Option<StringRef<'_>>, WrongType> {
        let Some(place) = self.locate_read(key) else { return Ok(None) };
        match self.store().table().entry(place).value() {
            ValueRef::String(string) => Ok(Some(string)),
            ValueRef::Object(_) => Err(WrongType),
        }
    }

    /// Makes the key a string, whatever it was. One that spells an integer is kept as that.
    pub fn set_string(&mut self, key: &[u8], value: &[u8], expiry: Expiry) {
        let content = match canonical_int(value) {
            Some(int) => Content::Int(int),
            None => Content::Bytes(value),
        };
        self.put(key, content, expiry);
    }

    pub fn set_int(&mut self, key: &[u8], value: i64, expiry: Expiry) {
        self.put(key, Content::Int(value), expiry);
    }

    /// Replaces a string, or the lack of one, by the integer that `f` makes of it. The expiry stays.
    pub fn update_int<E: From<WrongType>>(
        &mut self,
        key: &[u8],
        f: impl FnOnce(Option<StringRef<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        let hash = self.hash(key);
        let Some(place) = self.keyspace.locate(self.index, hash, key) else {
            let int = f(None)?;
            self.add(hash, key, Content::Int(int), None);
            return Ok(int);
        };
        let ValueRef::String(string) = self.store().table().entry(place).value() else {
            return Err(WrongType.into());
        };
        let int = f(Some(string))?;
        self.put_at(place, key, Content::Int(int), Expiry::Keep);
        Ok(int)
    }

    /// Lends the bytes of a string to be changed; a key that is not there becomes one. The expiry stays. A long string is
    /// changed where it is, so that appending costs what is appended.
    pub fn modify_bytes<R>(
        &mut self,
        key: &[u8],
        f: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> Result<R, WrongType> {
        let hash = self.hash(key);
        let Some(place) = self.keyspace.locate(self.index, hash, key) else {
            let mut bytes = Vec::new();
            let result = f(&mut bytes);
            self.add(hash, key, Content::edited(&mut bytes), None);
            return Ok(result);
        };
        self.touch_place(place);
        let f = match self.store_mut().change_big(place, f) {
            Ok(result) => return Ok(result),
            Err(f) => f,
        };
        let ValueRef::String(string) = self.store().table().entry(place).value() else {
            return Err(WrongType);
        };
        let mut bytes = string.to_vec();
        let result = f(&mut bytes);
        self.put_at(place, key, Content::edited(&mut bytes), Expiry::Keep);
        Ok(result)
    }
}
