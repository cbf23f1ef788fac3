//! A HyperLogLog as the string that it is: a header, then registers in one of two encodings.
//!
//! ```text
//! "HYLL"  encoding  3 unused bytes  the last count, 8 bytes  registers
//! ```

use keyspace::{Database, WrongType};

use super::registers::{Registers, VALUES};
use super::sparse::{self, Corrupt, Raised};
use super::{dense, hash};
use crate::{Error, Halt};

const MAGIC: &[u8] = b"HYLL";
const HEADER_LEN: usize = 16;
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
/// Set in the count's highest byte when registers have changed since.
const STALE: u8 = 0x80;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// hll-sparse-max-bytes, as Redis has it by default.
const SPARSE_LEN_MAX: usize = 3000;

pub(super) const INVALID: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

impl From<Corrupt> for Halt {
    fn from(_: Corrupt) -> Self {
        Error::text("INVALIDOBJ Corrupted HLL object detected").into()
    }
}

/// An empty sketch, whose count is known to be 0.
pub(super) fn empty() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(SPARSE);
    bytes.resize(HEADER_LEN, 0);
    bytes.extend(sparse::EMPTY);
    bytes
}

/// Whether a key holds a sketch. An error if it holds anything else.
pub(super) fn is_there(database: &mut Database, key: &[u8]) -> crate::Result<bool> {
    match database.string(key)? {
        None => Ok(false),
        Some(value) if value.with_bytes(is_sketch) => Ok(true),
        Some(_) => Err(Error::text(INVALID).into()),
    }
}

/// Looks at a sketch, if there is one.
pub(super) fn read<R>(
    database: &mut Database,
    key: &[u8],
    look: impl FnOnce(Sketch<'_>) -> R,
) -> crate::Result<Option<R>> {
    if !is_there(database, key)? {
        return Ok(None);
    }
    let value = database.value(key).ok_or(Error::NoSuchKey)?;
    match value {
        keyspace::ValueRef::String(value) => {
            Ok(Some(value.with_bytes(|bytes| look(Sketch(bytes)))))
        }
        keyspace::ValueRef::Object(_) => Err(WrongType.into()),
    }
}

fn is_sketch(bytes: &[u8]) -> bool {
    if bytes.len() < HEADER_LEN || !bytes.starts_with(MAGIC) {
        return false;
    }
    match bytes[ENCODING_AT] {
        DENSE => bytes.len() == HEADER_LEN + dense::LEN,
        SPARSE => true,
        _ => false,
    }
}

/// The bytes of a sketch, to be looked at.
#[derive(Clone, Copy)]
pub(super) struct Sketch<'a>(&'a [u8]);

impl Sketch<'_> {
    /// The last count, unless registers have changed since.
    pub(super) fn count(self) -> Option<u64> {
        let count: [u8; 8] =
            self.0[COUNT_AT..HEADER_LEN].try_into().expect("the header has room for it");
        (count[7] & STALE == 0).then(|| u64::from_le_bytes(count))
    }

    pub(super) fn is_dense(self) -> bool {
        self.0[ENCODING_AT] == DENSE
    }

    pub(super) fn histogram(self) -> Result<[u32; VALUES], Corrupt> {
        let registers = &self.0[HEADER_LEN..];
        if self.is_dense() { Ok(dense::histogram(registers)) } else { sparse::histogram(registers) }
    }

    pub(super) fn merge_into(self, merged: &mut Registers) -> Result<(), Corrupt> {
        let registers = &self.0[HEADER_LEN..];
        if self.is_dense() {
            for index in 0..super::registers::REGISTERS {
                merged.raise(index, dense::get(registers, index));
            }
            return Ok(());
        }
        sparse::walk(registers, |first, run| {
            (first..first + run.len).for_each(|index| merged.raise(index, run.value));
        })
    }
}

/// Adds an element and says whether a register was raised.
pub(super) fn add(bytes: &mut Vec<u8>, element: &[u8]) -> Result<bool, Corrupt> {
    let (index, value) = hash::place(element);
    raise(bytes, index, value)
}

/// Raises a register and says whether it was lower. The sketch becomes dense when the sparse encoding is exhausted.
pub(super) fn raise(bytes: &mut Vec<u8>, index: usize, value: u8) -> Result<bool, Corrupt> {
    if bytes[ENCODING_AT] == SPARSE {
        match sparse::raise(bytes, HEADER_LEN, index, value, SPARSE_LEN_MAX)? {
            Raised::Unchanged => return Ok(false),
            Raised::Changed => return Ok(true),
            Raised::TooLarge => make_dense(bytes)?,
        }
    }
    Ok(dense::raise(&mut bytes[HEADER_LEN..], index, value))
}

pub(super) fn make_dense(bytes: &mut Vec<u8>) -> Result<(), Corrupt> {
    if bytes[ENCODING_AT] == DENSE {
        return Ok(());
    }
    let mut registers = vec![0; dense::LEN];
    sparse::walk(&bytes[HEADER_LEN..], |first, run| {
        for index in first..first + run.len {
            dense::raise(&mut registers, index, run.value);
        }
    })?;
    bytes.truncate(HEADER_LEN);
    bytes[ENCODING_AT] = DENSE;
    bytes.append(&mut registers);
    Ok(())
}

/// Remembers the count until a register changes.
pub(super) fn set_count(bytes: &mut [u8], count: u64) {
    bytes[COUNT_AT..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
}

pub(super) fn forget_count(bytes: &mut [u8]) {
    bytes[HEADER_LEN - 1] |= STALE;
}
