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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{as_ref, samples, told};

    #[test]
    fn a_payload_is_what_redis_makes_of_it() {
        let value = Value::String(b"v".to_vec());
        let payload = b"\x00\x01v\x0a\x00\x91\x08\xce\xb2\x198\x8a\xce";
        assert_eq!(dump(as_ref(&value)), payload);
        assert_eq!(told(&restore(payload, &Forms::default()).unwrap()), ["v"]);
    }

    #[test]
    fn a_payload_of_which_a_byte_is_wrong_is_refused() {
        for (_, value) in samples() {
            let payload = dump(as_ref(&value));
            let step = 1 + payload.len() / 50;
            for at in (0..payload.len()).step_by(step) {
                let mut damaged = payload.clone();
                damaged[at] ^= 0x20;
                let refusal = restore(&damaged, &Forms::default()).unwrap_err();
                assert_eq!(refusal.to_string(), "DUMP payload version or checksum are wrong");
            }
        }
    }

    #[test]
    fn collections_are_not_restored_empty() {
        let payloads = [payload_of(&[2, 0]), payload_of(&[18, 0])];
        for payload in payloads {
            let refusal = restore(&payload, &Forms::default()).unwrap_err();
            assert_eq!(refusal.to_string(), "Bad data format");
        }
    }

    /// A payload around the bytes of a value.
    fn payload_of(content: &[u8]) -> Vec<u8> {
        let mut payload = content.to_vec();
        payload.extend(VERSION.to_le_bytes());
        payload.extend(crc64::update(0, &payload).to_le_bytes());
        payload
    }
}
