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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyspace, List, Object, Options};

    fn keyspace() -> Keyspace {
        Keyspace::new(Options { databases: 1, seed: 42 })
    }

    #[test]
    fn a_string_is_read_as_it_was_written_at_any_length() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        // Each overwrites the one before: in place, in another allocation, outside and back.
        for len in [0, 1, 8, 7, 64, 63, 1_024, 1_025, 100_000, 60_000, 3_000, 5, 0] {
            let value = vec![b'x'; len];
            database.set_string(b"key", &value, Expiry::Clear);
            assert_eq!(database.string(b"key"), Ok(Some(StringRef::Bytes(&value))));
        }
        database.set_string(b"key", b"-17", Expiry::Clear);
        assert!(matches!(database.string(b"key"), Ok(Some(StringRef::Int(-17)))));
        assert!(database.remove(b"key"));
        let table = keyspace.stores[0].table().memory();
        assert_eq!(keyspace.used_memory(), table);
    }

    #[test]
    fn a_write_keeps_clears_or_sets_the_expiry() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        for value in [&b"short"[..], b"12", &[0; 2_000]] {
            database.set_string(b"key", value, Expiry::Clear);
            assert_eq!(database.expiry(b"key"), Some(None));
            database.set_string(b"key", value, Expiry::At(7));
            assert_eq!(database.expiry(b"key"), Some(Some(7)));
            database.set_string(b"key", value, Expiry::At(8));
            assert_eq!(database.expiry(b"key"), Some(Some(8)));
            database.set_string(b"key", b"another", Expiry::Keep);
            assert_eq!(database.expiry(b"key"), Some(Some(8)));
            database.set_string(b"key", value, Expiry::Clear);
            assert_eq!(database.expiry(b"key"), Some(None));
        }
        assert_eq!(keyspace.database_statistics(0).expiring, 0);
    }

    #[test]
    fn an_integer_is_updated_where_it_is_and_keeps_its_expiry() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        let increment = |old: Option<StringRef<'_>>| -> Result<i64, WrongType> {
            old.map_or(Some(0), StringRef::as_int).map(|int| int + 1).ok_or(WrongType)
        };
        assert_eq!(database.update_int(b"n", increment), Ok(1));
        database.set_expiry(b"n", 99);
        assert_eq!(database.update_int(b"n", increment), Ok(2));
        assert_eq!(database.expiry(b"n"), Some(Some(99)));
        database.set_string(b"n", b"text", Expiry::Clear);
        assert_eq!(database.update_int(b"n", increment), Err(WrongType));
        assert_eq!(database.string(b"n"), Ok(Some(StringRef::Bytes(b"text"))));
    }

    #[test]
    fn bytes_are_modified_across_the_border_to_the_outside_and_keep_the_expiry() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        let mut model = Vec::new();
        for n in 0..3_000_u32 {
            let len = database.modify_bytes(b"key", |bytes| {
                bytes.push(n as u8);
                bytes.len()
            });
            model.push(n as u8);
            assert_eq!(len, Ok(model.len()));
            if n == 0 {
                database.set_expiry(b"key", 5);
            }
        }
        assert_eq!(database.string(b"key"), Ok(Some(StringRef::Bytes(&model))));
        database.modify_bytes(b"key", |bytes| bytes.truncate(3)).expect("a string");
        assert_eq!(database.string(b"key"), Ok(Some(StringRef::Bytes(&model[..3]))));
        assert_eq!(database.expiry(b"key"), Some(Some(5)));
        assert!(database.remove(b"key"));
        let table = keyspace.stores[0].table().memory();
        assert_eq!(keyspace.used_memory(), table);
    }

    #[test]
    fn other_types_are_refused_and_stay() {
        let mut keyspace = keyspace();
        let mut database = keyspace.database(0);
        database.insert(b"list", Object::List(List::default()), Expiry::Clear);
        assert_eq!(database.string(b"list"), Err(WrongType));
        assert_eq!(database.modify_bytes(b"list", |bytes| bytes.clear()), Err(WrongType));
        assert_eq!(database.update_int(b"list", |_| Ok::<_, WrongType>(1)), Err(WrongType));
        assert!(matches!(database.get::<List>(b"list"), Ok(Some(_))));
        database.set_string(b"list", b"now a string", Expiry::Clear);
        assert!(matches!(database.get::<List>(b"list"), Err(WrongType)));
        assert!(matches!(database.get_mut::<List>(b"list"), Err(WrongType)));
        assert!(matches!(database.get_or_insert::<List>(b"list"), Err(WrongType)));
    }
}
