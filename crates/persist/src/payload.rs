//! What DUMP answers and RESTORE takes: a value, the version, a checksum.

use std::fmt;

use keyspace::{Value, ValueRef};

use crate::error::LoadError;
use crate::source::Source;
use crate::{Forms, VERSION, VERSION_MAX, crc64, value};

/// Why a payload cannot be restored.
#[derive(Debug)]
pub enum PayloadError {
    /// It is no payload, a damaged one, or from a newer version.
    VersionOrChecksum,
    BadData(LoadError),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::VersionOrChecksum => {
                f.write_str("DUMP payload version or checksum are wrong")
            }
            PayloadError::BadData(_) => f.write_str("Bad data format"),
        }
    }
}

pub fn dump(value: ValueRef) -> Vec<u8> {
    let mut payload = vec![value::code_of(value)];
    value::write(&mut payload, value);
    payload.extend(VERSION.to_le_bytes());
    let checksum = crc64::update(0, &payload);
    payload.extend(checksum.to_le_bytes());
    payload
}

pub fn restore(payload: &[u8], forms: &Forms) -> Result<Value, PayloadError> {
    let damaged = PayloadError::VersionOrChecksum;
    let Some((rest, checksum)) = payload.split_last_chunk::<8>() else { return Err(damaged) };
    let Some((content, version)) = rest.split_last_chunk::<2>() else { return Err(damaged) };
    if u16::from_le_bytes(*version) > VERSION_MAX
        || u64::from_le_bytes(*checksum) != crc64::update(0, rest)
    {
        return Err(damaged);
    }
    read(content, forms).map_err(PayloadError::BadData)
}

fn read(mut content: &[u8], forms: &Forms) -> Result<Value, LoadError> {
    let mut source = Source::new(&mut content);
    let code = source.byte()?;
    let value = value::read(&mut source, code, forms)?;
    if value::is_empty_collection(&value) {
        return crate::error::malformed("a collection is empty");
    }
    Ok(value)
}
