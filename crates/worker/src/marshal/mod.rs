//! Python's `marshal` format, as far as the protocol needs it.
//!
//! To a worker we write version 4 (names once, then by reference); from a worker we read version 2, which has no
//! references: so a hostile process cannot make a small frame unfold into a large value.

mod big;
mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::{Names, Writer};
