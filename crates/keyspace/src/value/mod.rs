//! The value types. A string lives inside its entry; everything else is an [`Object`].

mod decimal;
pub mod hash;
mod hash_table;
mod length;
mod limits;
pub mod list;
mod packed;
mod sample;
pub mod set;
pub mod sorted_set;
mod stream;
#[cfg(test)]
pub(crate) mod testing;

pub use decimal::Decimal;
pub use hash::Hash;
pub use limits::Limits;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;

/// What TYPE answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    String,
    List,
    Hash,
    Set,
    SortedSet,
    Stream,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Hash => "hash",
            Type::Set => "set",
            Type::SortedSet => "zset",
            Type::Stream => "stream",
        }
    }
}

/// A value that is not a string.
#[derive(Clone, Debug)]
pub enum Object {
    List(List),
    Hash(Hash),
    Set(Set),
    SortedSet(SortedSet),
    Stream(Box<Stream>),
}
