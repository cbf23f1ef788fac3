use command_spec::Args;
use keyspace::{Database, EventKind, ValueType};
use resp::ReplyWriter;

use crate::Result;

/// SREM, ZREM, HDEL key element [element ...]: what was there counts, and the key goes with its last element.
pub(crate) fn remove_each<T: ValueType>(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    event: EventKind,
    remove: fn(&mut T, &[u8]) -> bool,
) -> Result {
    let key = args.bytes()?;
    let elements = args.rest();

    let removed = match database.get_mut::<T>(key)? {
        Some(value) => elements.iter().filter(|element| remove(value, element)).count(),
        None => 0,
    };
    if removed > 0 {
        database.changed(event, key);
    }
    reply.integer(removed as i64);
    Ok(())
}
