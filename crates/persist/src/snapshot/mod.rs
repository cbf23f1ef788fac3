//! A whole keyspace as a file (RDB).
//!
//! ```text
//! "REDIS0010"    facts about the file    for each database: its number, its sizes, its keys    end    checksum
//! ```

mod load;
mod save;

pub use load::{Loaded, load};
pub use save::save;

const MAGIC: &[u8] = b"REDIS";

/// What stands before anything that is no key: all above the codes of values.
mod opcode {
    pub(super) const FUNCTIONS: u8 = 245;
    pub(super) const FUNCTIONS_OF_A_CANDIDATE: u8 = 246;
    pub(super) const MODULE: u8 = 247;
    pub(super) const IDLE_SECONDS: u8 = 248;
    pub(super) const FREQUENCY: u8 = 249;
    pub(super) const FACT: u8 = 250;
    pub(super) const SIZES: u8 = 251;
    pub(super) const EXPIRY_MS: u8 = 252;
    pub(super) const EXPIRY_SECONDS: u8 = 253;
    pub(super) const DATABASE: u8 = 254;
    pub(super) const END: u8 = 255;
}
