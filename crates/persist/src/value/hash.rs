use keyspace::{Hash, Limits};

use super::{code, pairs};
use crate::error::{Result, malformed};
use crate::listpack::Builder;
use crate::source::Source;
use crate::{length, string};

pub(super) fn read(source: &mut Source, code: u8, limits: &Limits) -> Result<Hash> {
    let mut hash = Hash::default();
    let mut set = |field: &[u8], value: &[u8]| {
        if hash.set(field, value, limits) { Ok(()) } else { malformed("a hash has a field twice") }
    };
    if code == code::HASH {
        for _ in 0..length::read(source)? {
            let field = string::read(source)?;
            set(&field, &string::read(source)?)?;
        }
    } else {
        pairs(&string::read(source)?, code == code::HASH_ZIPLIST, set)?;
    }
    Ok(hash)
}

fn is_packed(hash: &Hash) -> bool {
    hash.encoding() == "listpack"
}

pub(super) fn code_of(hash: &Hash) -> u8 {
    if is_packed(hash) { code::HASH_LISTPACK } else { code::HASH }
}

pub(super) fn write(out: &mut Vec<u8>, hash: &Hash) {
    if is_packed(hash) {
        let mut packed = Builder::default();
        for (field, value) in hash.iter() {
            packed.push(field);
            packed.push(value);
        }
        return string::write(out, &packed.finish());
    }
    length::write(out, hash.len() as u64);
    for (field, value) in hash.iter() {
        string::write(out, field);
        string::write(out, value);
    }
}
