//! The same random commands to two servers, which must say the same and keep the same.
//!
//! What may differ is said by the template of each command (`sort>`, `about>` …), nowhere else. That two servers of one
//! kind never differ proves that this is enough; that two of different kinds differ proves a mistake in one of them.

mod duel;
mod generator;
mod templates;
mod xorshift;

pub use duel::duel;
