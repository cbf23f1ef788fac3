use std::io::Read;

use keyspace::{Expiry, Keyspace};

use super::{MAGIC, opcode};
use crate::error::{LoadError, Result, malformed};
use crate::source::Source;
use crate::{Forms, VERSION_MAX, length, string, value};

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub keys: u64,
    /// Keys that had expired by now, and were left out.
    pub expired: u64,
    /// What was passed over because there is nobody here who could use it.
    pub skipped: Vec<String>,
}

/// From this version on, files end with a checksum.
const CHECKSUM_SINCE: u16 = 5;

/// What stands before a key and belongs to it.
#[derive(Default)]
struct Attributes {
    expiry_ms: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// Adds all keys of a file to a keyspace, which is left half filled by an error. `from` should be buffered.
pub fn load(keyspace: &mut Keyspace, from: &mut dyn Read) -> Result<Loaded> {
    let forms = Forms { limits: keyspace.limits, stream: keyspace.stream_limits };
    let mut source = Source::new(from);
    let version = read_version(&mut source)?;
    let mut loaded = Loaded::default();
    let mut db = 0;
    let mut attributes = Attributes::default();
    loop {
        match source.byte()? {
            opcode::END => break,
            opcode::DATABASE => db = read_database(&mut source, keyspace.databases())?,
            opcode::EXPIRY_MS => {
                attributes.expiry_ms = Some(i64::from_le_bytes(source.array()?));
            }
            opcode::EXPIRY_SECONDS => {
                let seconds = i32::from_le_bytes(source.array()?);
                attributes.expiry_ms = Some(i64::from(seconds) * 1000);
            }
            opcode::IDLE_SECONDS => attributes.idle_seconds = Some(length::read(&mut source)?),
            opcode::FREQUENCY => attributes.frequency = Some(source.byte()?),
            opcode::FACT => {
                string::read(&mut source)?;
                string::read(&mut source)?;
            }
            opcode::SIZES => {
                length::read(&mut source)?;
                length::read(&mut source)?;
            }
            opcode::FUNCTIONS => {
                string::read(&mut source)?;
                loaded.skipped.push("a library of Redis functions".to_owned());
            }
            opcode::FUNCTIONS_OF_A_CANDIDATE => {
                return Err(LoadError::Unsupported(
                    "it holds functions of a release candidate of Redis 7.0".to_owned(),
                ));
            }
            opcode::MODULE => loaded.skipped.push(skip_module(&mut source)?),
            code => {
                let attributes = std::mem::take(&mut attributes);
                load_key(keyspace, db, code, attributes, &forms, &mut source, &mut loaded)?;
            }
        }
    }
    if version >= CHECKSUM_SINCE {
        check(&mut source)?;
    }
    Ok(loaded)
}

fn read_version(source: &mut Source) -> Result<u16> {
    if source.array::<5>()? != MAGIC {
        return malformed("it is no RDB file");
    }
    let digits = source.array::<4>()?;
    let version = str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok());
    match version {
        Some(version @ 1..=VERSION_MAX) => Ok(version),
        Some(version) => {
            let text = format!("it is of RDB version {version}, and read are 1 to {VERSION_MAX}");
            Err(LoadError::Unsupported(text))
        }
        None => malformed("it is no RDB file"),
    }
}

fn read_database(source: &mut Source, databases: usize) -> Result<usize> {
    let db = length::read(source)?;
    match usize::try_from(db) {
        Ok(db) if db < databases => Ok(db),
        _ => {
            let text = format!("it has keys in database {db}, and there are only {databases}");
            Err(LoadError::Unsupported(text))
        }
    }
}

fn load_key(
    keyspace: &mut Keyspace,
    db: usize,
    code: u8,
    attributes: Attributes,
    forms: &Forms,
    source: &mut Source,
    loaded: &mut Loaded,
) -> Result<()> {
    let key = string::read(source)?;
    let value = value::read(source, code, forms)?;
    if value::is_empty_collection(&value) {
        // Old versions of Redis had bugs that left such; Redis passes over them, too.
        return Ok(());
    }
    if attributes.expiry_ms.is_some_and(|ms| ms < keyspace.now_ms()) {
        loaded.expired += 1;
        return Ok(());
    }
    let mut database = keyspace.database(db);
    if database.contains(&key) {
        return malformed("a key is there twice");
    }
    database.insert_value(&key, value, attributes.expiry_ms.map_or(Expiry::Clear, Expiry::At));
    if let Some(seconds) = attributes.idle_seconds {
        database.set_idle_seconds(&key, u32::try_from(seconds).unwrap_or(u32::MAX));
    }
    if let Some(counter) = attributes.frequency {
        database.set_frequency(&key, counter);
    }
    loaded.keys += 1;
    Ok(())
}

/// Passes over what a module keeps beside the keys, and says whose it is.
fn skip_module(source: &mut Source) -> Result<String> {
    const END: u64 = 0;
    const SIGNED: u64 = 1;
    const UNSIGNED: u64 = 2;
    const FLOAT: u64 = 3;
    const DOUBLE: u64 = 4;
    const STRING: u64 = 5;

    let id = length::read(source)?;
    // When it was saved, as a number of the module's own kind: before or after the keys.
    length::read(source)?;
    length::read(source)?;
    loop {
        match length::read(source)? {
            END => return Ok(format!("data of the module type {}", module_type_name(id))),
            SIGNED | UNSIGNED => drop(length::read(source)?),
            FLOAT => drop(source.array::<4>()?),
            DOUBLE => drop(source.array::<8>()?),
            STRING => drop(string::read(source)?),
            _ => return malformed("a module's data is damaged"),
        }
    }
}

/// Nine characters of six bits, and ten bits for the version.
fn module_type_name(id: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let character = |index: u32| char::from(ALPHABET[(id >> (58 - 6 * index)) as usize & 63]);
    (0..9).map(character).collect()
}

fn check(source: &mut Source) -> Result<()> {
    let expected = source.checksum();
    match u64::from_le_bytes(source.array()?) {
        // Whoever wrote it did not want to compute any.
        0 => Ok(()),
        checksum if checksum == expected => Ok(()),
        _ => malformed("its checksum is wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_type_has_its_name_in_its_number() {
        // As Redis' own documentation shows it: the name's characters, then the version.
        let id = "test1type".bytes().fold(0_u64, |id, byte| {
            let place = match byte {
                b'a'..=b'z' => byte - b'a' + 26,
                _ => byte - b'0' + 52,
            };
            id << 6 | u64::from(place)
        });
        assert_eq!(module_type_name(id << 10 | 3), "test1type");
    }
}
