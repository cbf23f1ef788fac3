use keyspace::{Limits, Set};

use super::{code, items};
use crate::error::{Result, malformed};
use crate::source::Source;
use crate::{intset, length, string};

pub(super) fn read(source: &mut Source, code: u8, limits: &Limits) -> Result<Set> {
    let mut set = Set::default();
    let mut add = |member: &[u8]| {
        if set.add(member, limits) { Ok(()) } else { malformed("a set has a member twice") }
    };
    match code {
        code::SET_INTSET => {
            let packed = string::read(source)?;
            let mut text = itoa::Buffer::new();
            for integer in intset::read(&packed)? {
                add(text.format(integer).as_bytes())?;
            }
        }
        code::SET_LISTPACK => {
            let packed = string::read(source)?;
            for item in items(&packed, false)? {
                item?.with_bytes(&mut add)?;
            }
        }
        _ => {
            for _ in 0..length::read(source)? {
                add(&string::read(source)?)?;
            }
        }
    }
    Ok(set)
}

/// Version 10 has no packed form for sets of strings.
pub(super) fn code_of(set: &Set) -> u8 {
    if set.is_all_integers() { code::SET_INTSET } else { code::SET }
}

pub(super) fn write(out: &mut Vec<u8>, set: &Set) {
    if set.is_all_integers() {
        let integers: Vec<i64> = set
            .iter()
            .map(|member| keyspace::StringRef::Bytes(&member).as_int().expect("all are integers"))
            .collect();
        return string::write(out, &intset::write(&integers));
    }
    length::write(out, set.len() as u64);
    set.iter().for_each(|member| string::write(out, &member));
}
