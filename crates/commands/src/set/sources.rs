use keyspace::{Database, Object, Set, ValueRef};

use crate::{Error, Result};

/// The sets at several keys; `None` where there is no key. All of them must be sets.
pub(super) fn sources<'a>(
    database: &'a mut Database,
    keys: &[&[u8]],
) -> Result<Vec<Option<&'a Set>>> {
    let set = |value| match value {
        None => Ok(None),
        Some(ValueRef::Object(Object::Set(set))) => Ok(Some(set)),
        Some(_) => Err(Error::WrongType.into()),
    };
    database.read_each(keys).into_iter().map(set).collect()
}
