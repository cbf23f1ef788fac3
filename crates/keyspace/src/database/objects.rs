use super::Database;
use crate::entry::Content;
use crate::event::EventKind;
use crate::expiry::Expiry;
use crate::keyspace::Keyspace;
use crate::value::{Object, Value, ValueRef, ValueType, WrongType};

impl Database<'_> {
    /// Reads a value: a hit or a miss, and an access.
    pub fn get<T: ValueType>(&mut self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        let Some(place) = self.locate_read(key) else { return Ok(None) };
        match self.store().table().entry(place).value() {
            ValueRef::Object(object) => T::of(object).map(Some).ok_or(WrongType),
            ValueRef::String(_) => Err(WrongType),
        }
    }

    /// Lends a value to be changed.
    pub fn get_mut<T: ValueType>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        let Some(place) = self.locate_write(key) else { return Ok(None) };
        if self.keyspace.removals.are_wanted() {
            let Keyspace { stores, removals, .. } = &mut *self.keyspace;
            removals.remember(self.index, stores[self.index].table().entry(place));
        }
        let object = self.store_mut().object_mut(place).ok_or(WrongType)?;
        T::of_mut(object).map(Some).ok_or(WrongType)
    }

    /// Lends a value to be changed, an empty one if there is none. Who leaves it empty says so with [`Database::changed`].
    pub fn get_or_insert<T: ValueType + Default>(
        &mut self,
        key: &[u8],
    ) -> Result<&mut T, WrongType> {
        let hash = self.hash(key);
        let place = match self.keyspace.locate(self.index, hash, key) {
            Some(place) => {
                self.touch_place(place);
                place
            }
            None => {
                self.add(hash, key, Content::Object(T::default().into_object()), None);
                self.store().table().find(hash, key).expect("it was just inserted")
            }
        };
        let object = self.store_mut().object_mut(place).ok_or(WrongType)?;
        T::of_mut(object).ok_or(WrongType)
    }

    /// Makes the key this object, whatever it was.
    pub fn insert(&mut self, key: &[u8], object: Object, expiry: Expiry) {
        self.put(key, Content::Object(object), expiry);
    }

    /// Makes the key this value, whatever it was.
    pub fn insert_value(&mut self, key: &[u8], value: Value, expiry: Expiry) {
        match value {
            Value::Object(object) => self.insert(key, object, expiry),
            Value::String(bytes) => self.set_string(key, &bytes, expiry),
        }
    }

    /// Changes a value, if there is one, and follows it with [`Database::changed`].
    pub fn update<T: ValueType, R>(
        &mut self,
        event: EventKind,
        key: &[u8],
        f: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>, WrongType> {
        let Some(value) = self.get_mut::<T>(key)? else { return Ok(None) };
        let result = f(value);
        self.changed(event, key);
        Ok(Some(result))
    }
}
