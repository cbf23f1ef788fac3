use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::SetIdError;
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::id::parse_id;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const XSETID: Command = Command {
    spec: CommandSpec::new(
        "xsetid",
        Group::Stream,
        Arity::AtLeast(3),
        "Sets the last id of a stream, as replication and loading need it.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("5.0.0")
    .syntax("key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]"),
    run: xsetid,
};

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
fn xsetid(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let last_id = parse_id(args.bytes()?)?;
    let (mut entries_added, mut max_deleted_id) = (None, None);
    while !args.is_empty() {
        let has_value = args.len() > 1;
        if has_value && args.keyword("ENTRIESADDED") {
            entries_added = match u64::try_from(args.integer()?) {
                Ok(added) => Some(added),
                Err(_) => return fail("ERR entries_added must be positive"),
            };
        } else if has_value && args.keyword("MAXDELETEDID") {
            let id = parse_id(args.bytes()?)?;
            if last_id < id {
                return Err(refused(SetIdError::BelowGivenMaxDeleted).into());
            }
            max_deleted_id = Some(id);
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }

    let stream = database.get_mut::<Stream>(key)?.ok_or(Error::NoSuchKey)?;
    stream.log.set_id(last_id, entries_added, max_deleted_id).map_err(refused)?;
    database.changed(EventKind::XSETID, key);
    reply.ok();
    Ok(())
}

fn refused(error: SetIdError) -> Error {
    Error::text(match error {
        SetIdError::BelowGivenMaxDeleted => {
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
        }
        SetIdError::BelowMaxDeleted => {
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
        }
        SetIdError::BelowTop => {
            "ERR The ID specified in XSETID is smaller than the target stream top item"
        }
        SetIdError::AddedBelowLen => {
            "ERR The entries_added specified in XSETID is smaller than the target stream length"
        }
    })
}
