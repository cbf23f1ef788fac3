//! The keyspace to disk and back, in the format of Redis: RDB files, and the payloads of DUMP and RESTORE.
//!
//! What is written is version 10, which Redis 7.0 and all that came after it read. Read is all that Redis 2.6 to 7.2 wrote,
//! but for modules, functions and zipmaps. Nothing that is read is trusted: lengths, counts and offsets are checked against
//! the bytes there are before anything is made from them.

mod crc64;
mod error;
mod intset;
mod length;
mod listpack;
mod lzf;
mod packed;
mod payload;
mod sink;
pub mod snapshot;
mod source;
mod string;
#[cfg(test)]
mod testing;
mod value;
mod ziplist;

pub use error::{LoadError, Malformed};
pub use payload::{PayloadError, dump, restore};
pub use value::Forms;

/// The version that is written.
const VERSION: u16 = 10;
/// The newest version that is read.
const VERSION_MAX: u16 = 11;
