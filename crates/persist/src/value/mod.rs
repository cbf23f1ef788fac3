//! The forms that values take in a file.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;

use keyspace::value::stream::BlockLimits;
use keyspace::{Limits, Object, Value, ValueRef};

use crate::error::{LoadError, Result, malformed};
use crate::source::Source;
use crate::string;

/// Up to where collections are small, for those that are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forms {
    pub limits: Limits,
    pub stream: BlockLimits,
}

/// The byte before a value that says what it is.
pub(crate) mod code {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const LIST: u8 = 1;
    pub(crate) const SET: u8 = 2;
    pub(crate) const SORTED_SET: u8 = 3;
    pub(crate) const HASH: u8 = 4;
    pub(crate) const SORTED_SET_2: u8 = 5;
    pub(crate) const MODULE: u8 = 6;
    pub(crate) const MODULE_2: u8 = 7;
    pub(crate) const HASH_ZIPMAP: u8 = 9;
    pub(crate) const LIST_ZIPLIST: u8 = 10;
    pub(crate) const SET_INTSET: u8 = 11;
    pub(crate) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(crate) const HASH_ZIPLIST: u8 = 13;
    pub(crate) const LIST_QUICKLIST: u8 = 14;
    pub(crate) const STREAM: u8 = 15;
    pub(crate) const HASH_LISTPACK: u8 = 16;
    pub(crate) const SORTED_SET_LISTPACK: u8 = 17;
    pub(crate) const LIST_QUICKLIST_2: u8 = 18;
    pub(crate) const STREAM_2: u8 = 19;
    pub(crate) const SET_LISTPACK: u8 = 20;
    pub(crate) const STREAM_3: u8 = 21;
}

pub(crate) fn code_of(value: ValueRef) -> u8 {
    match value {
        ValueRef::String(_) => code::STRING,
        ValueRef::Object(Object::List(_)) => code::LIST_QUICKLIST_2,
        ValueRef::Object(Object::Hash(hash)) => hash::code_of(hash),
        ValueRef::Object(Object::Set(set)) => set::code_of(set),
        ValueRef::Object(Object::SortedSet(sorted_set)) => sorted_set::code_of(sorted_set),
        ValueRef::Object(Object::Stream(_)) => code::STREAM_2,
    }
}

/// Writes a value without its code.
pub(crate) fn write(out: &mut Vec<u8>, value: ValueRef) {
    match value {
        ValueRef::String(text) => text.with_bytes(|bytes| string::write(out, bytes)),
        ValueRef::Object(Object::List(list)) => list::write(out, list),
        ValueRef::Object(Object::Hash(hash)) => hash::write(out, hash),
        ValueRef::Object(Object::Set(set)) => set::write(out, set),
        ValueRef::Object(Object::SortedSet(sorted_set)) => sorted_set::write(out, sorted_set),
        ValueRef::Object(Object::Stream(stream)) => stream::write(out, stream),
    }
}

/// Reads a value, which may be an empty collection: old versions of Redis wrote such.
pub(crate) fn read(source: &mut Source, code: u8, forms: &Forms) -> Result<Value> {
    let limits = &forms.limits;
    let object = match code {
        code::STRING => return Ok(Value::String(string::read(source)?)),
        code::LIST | code::LIST_ZIPLIST | code::LIST_QUICKLIST | code::LIST_QUICKLIST_2 => {
            Object::List(list::read(source, code, limits)?)
        }
        code::SET | code::SET_INTSET | code::SET_LISTPACK => {
            Object::Set(set::read(source, code, limits)?)
        }
        code::SORTED_SET
        | code::SORTED_SET_2
        | code::SORTED_SET_ZIPLIST
        | code::SORTED_SET_LISTPACK => Object::SortedSet(sorted_set::read(source, code, limits)?),
        code::HASH | code::HASH_ZIPLIST | code::HASH_LISTPACK => {
            Object::Hash(hash::read(source, code, limits)?)
        }
        code::STREAM | code::STREAM_2 | code::STREAM_3 => {
            Object::Stream(Box::new(stream::read(source, code, forms.stream)?))
        }
        code::MODULE | code::MODULE_2 => {
            return Err(LoadError::Unsupported("a value belongs to a module".to_owned()));
        }
        code::HASH_ZIPMAP => {
            return Err(LoadError::Unsupported("a hash is of Redis before 2.6".to_owned()));
        }
        _ => return malformed("a value is of no known type"),
    };
    Ok(Value::Object(object))
}

/// No such value can be stored. A stream may be empty.
pub(crate) fn is_empty_collection(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Object(Object::Stream(_)) => false,
        Value::Object(object) => object.is_empty(),
    }
}

/// The items of a string that is a listpack, or a ziplist as older versions had it.
fn items<'a>(
    packed: &'a [u8],
    is_ziplist: bool,
) -> Result<impl Iterator<Item = Result<keyspace::StringRef<'a>>>> {
    let (old, new) = if is_ziplist {
        (Some(crate::ziplist::read(packed)?), None)
    } else {
        (None, Some(crate::listpack::read(packed)?))
    };
    let old = old.into_iter().flatten();
    Ok(old.chain(new.into_iter().flatten()).map(|item| item.map_err(LoadError::from)))
}

/// As [`items`], two by two.
fn pairs(
    packed: &[u8],
    is_ziplist: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    let mut items = items(packed, is_ziplist)?;
    while let Some(first) = items.next() {
        let Some(second) = items.next() else { return malformed("a pair has no second half") };
        let (first, second) = (first?, second?);
        first.with_bytes(|first| second.with_bytes(|second| visit(first, second)))?;
    }
    Ok(())
}
