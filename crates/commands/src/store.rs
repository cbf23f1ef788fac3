use keyspace::{Database, EventKind, Expiry, Object};

/// How every ...STORE command ends: the result takes the key's place, whatever was there; an empty result leaves none.
/// Returns how many elements the result has.
pub(crate) fn store(
    database: &mut Database,
    destination: &[u8],
    result: Object,
    event: EventKind,
) -> usize {
    let len = result.len();
    if len > 0 {
        database.insert(destination, result, Expiry::Clear);
        database.changed(event, destination);
    } else {
        database.delete_lazily(destination);
    }
    len
}
