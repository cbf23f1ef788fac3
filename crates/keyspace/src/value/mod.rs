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
pub mod stream;
mod string;
#[cfg(test)]
pub(crate) mod testing;

pub use decimal::Decimal;
pub use hash::Hash;
pub use limits::Limits;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;
pub use string::StringRef;
pub(crate) use string::canonical_int;

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

impl Object {
    pub fn type_of(&self) -> Type {
        match self {
            Object::List(_) => Type::List,
            Object::Hash(_) => Type::Hash,
            Object::Set(_) => Type::Set,
            Object::SortedSet(_) => Type::SortedSet,
            Object::Stream(_) => Type::Stream,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Object::List(list) => list.len(),
            Object::Hash(hash) => hash.len(),
            Object::Set(set) => set.len(),
            Object::SortedSet(sorted_set) => sorted_set.len(),
            Object::Stream(stream) => stream.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes are inside.
    pub fn memory(&self) -> usize {
        match self {
            Object::List(list) => list.memory(),
            Object::Hash(hash) => hash.memory(),
            Object::Set(set) => set.memory(),
            Object::SortedSet(sorted_set) => sorted_set.memory(),
            Object::Stream(stream) => stream.memory(),
        }
    }

    /// About how many allocations there are to free.
    pub fn work(&self) -> usize {
        match self {
            Object::List(list) => list.work(),
            Object::Hash(hash) => hash.work(),
            Object::Set(set) => set.work(),
            Object::SortedSet(sorted_set) => sorted_set.work(),
            Object::Stream(stream) => stream.work(),
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Object::List(list) => list.encoding(),
            Object::Hash(hash) => hash.encoding(),
            Object::Set(set) => set.encoding(),
            Object::SortedSet(sorted_set) => sorted_set.encoding(),
            Object::Stream(_) => "stream",
        }
    }
}

/// A value of its own, outside any entry.
#[derive(Clone, Debug)]
pub enum Value {
    String(Vec<u8>),
    Object(Object),
}

/// A value where it is stored.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    String(StringRef<'a>),
    Object(&'a Object),
}

impl ValueRef<'_> {
    pub fn type_of(self) -> Type {
        match self {
            ValueRef::String(_) => Type::String,
            ValueRef::Object(object) => object.type_of(),
        }
    }
}

/// The key holds a value of another type than the command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// What an [`Object`] can be: exactly the types of this module.
pub trait ValueType: Sized + sealed::Sealed {
    const TYPE: Type;
    fn of(object: &Object) -> Option<&Self>;
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    fn into_object(self) -> Object;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! value_types {
    ($($name:ident),*) => {$(
        impl sealed::Sealed for $name {}

        impl ValueType for $name {
            const TYPE: Type = Type::$name;

            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$name(value) => Some(value),
                    _ => None,
                }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                match object {
                    Object::$name(value) => Some(value),
                    _ => None,
                }
            }

            fn into_object(self) -> Object {
                Object::$name(self.into())
            }
        }
    )*};
}

value_types!(List, Hash, Set, SortedSet, Stream);
