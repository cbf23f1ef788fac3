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
use crate::{listpack, string, ziplist};

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
        (Some(ziplist::Items::read(packed)?), None)
    } else {
        (None, Some(listpack::Items::read(packed)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Chance, as_ref, samples, told};

    fn read_bytes(code: u8, mut bytes: &[u8]) -> Result<Value> {
        read(&mut Source::new(&mut bytes), code, &Forms::default())
    }

    fn written(value: &Value) -> (u8, Vec<u8>) {
        let mut out = Vec::new();
        write(&mut out, as_ref(value));
        (code_of(as_ref(value)), out)
    }

    #[test]
    fn values_of_every_type_and_form_come_back() {
        for (name, value) in samples() {
            let (code, bytes) = written(&value);
            assert_eq!(told(&read_bytes(code, &bytes).expect(&name)), told(&value), "{name}");
        }
    }

    #[test]
    fn a_value_that_ends_too_early_is_refused() {
        for (name, value) in samples() {
            let (code, bytes) = written(&value);
            for cut in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
                assert!(read_bytes(code, &bytes[..cut]).is_err(), "{name} up to {cut}");
            }
        }
    }

    #[test]
    fn damaged_values_are_refused_or_are_other_values() {
        let mut chance = Chance(1);
        for (name, value) in samples() {
            let (code, bytes) = written(&value);
            for _ in 0..200 {
                let mut damaged = bytes.clone();
                chance.damage(&mut damaged);
                let code = if chance.below(10) == 0 { chance.below(22) as u8 } else { code };
                let Ok(other) = read_bytes(code, &damaged) else { continue };
                let (code, bytes) = written(&other);
                let again = read_bytes(code, &bytes).expect("what is written can be read");
                assert_eq!(told(&again), told(&other), "{name}");
            }
        }
    }

    #[test]
    fn the_forms_of_older_versions_are_read() {
        let ziplist = |items: &[u8], last: u8, count: u8| {
            let len = 10 + items.len() + 1;
            let header = [len as u8, 0, 0, 0, last, 0, 0, 0, count, 0];
            [&[len as u8][..], &header, items, &[0xff]].concat()
        };
        // "a", then the integer 7.
        let pair = ziplist(b"\x00\x01a\x03\xfe\x07", 13, 2);
        let node_count = |packed: &[u8]| [&[1], packed].concat();
        for (code, bytes, expected) in [
            (code::LIST, b"\x02\x01a\xc0\x07".to_vec(), &["a", "7"][..]),
            (code::LIST_ZIPLIST, pair.clone(), &["a", "7"]),
            (code::LIST_QUICKLIST, node_count(&pair), &["a", "7"]),
            (code::LIST_QUICKLIST_2, b"\x01\x01\x03abc".to_vec(), &["abc"]),
            (code::HASH, b"\x01\x01a\xc0\x07".to_vec(), &["a = 7"]),
            (code::HASH_ZIPLIST, pair.clone(), &["a = 7"]),
            (code::SET, b"\x02\x01a\xc0\x07".to_vec(), &["7", "a"]),
            (
                code::SORTED_SET,
                b"\x03\x01a\x031.5\x01b\xfe\x01c\xff".to_vec(),
                &["a 1.5", "b inf", "c -inf"],
            ),
            (code::SORTED_SET_ZIPLIST, pair.clone(), &["a 7.0"]),
        ] {
            assert_eq!(told(&read_bytes(code, &bytes).unwrap()), expected, "{code}");
        }
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        for (code, bytes) in [
            (code::SET, &b"\x02\x01a\x01a"[..]),
            (code::HASH, b"\x02\x01a\x01b\x01a\x01c"),
            (code::SORTED_SET_2, b"\x01\x01a\0\0\0\0\0\0\xf8\x7f"),
            (code::SORTED_SET, b"\x01\x01a\xfd"),
            (code::LIST_QUICKLIST_2, b"\x01\x03\x01a"),
            (code::SET, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a"),
            (code::MODULE_2, b"\x00"),
            (code::HASH_ZIPMAP, b"\x01\xff"),
            (8, b"\x00"),
            (99, b"\x00"),
        ] {
            assert!(read_bytes(code, bytes).is_err(), "{code}");
        }
    }
}
