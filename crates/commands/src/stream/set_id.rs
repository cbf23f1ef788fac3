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
    .key_flags(&["RW update"])
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

#[cfg(test)]
mod tests {
    use crate::testing::{bulk, error, run};

    #[test]
    fn ids_go_on_from_where_they_are_set_to() {
        assert_eq!(run("XADD s 1 a 1 \n XSETID s 9-5 \n XADD s 9-* a 1"), bulk("9-6"));
    }

    #[test]
    fn the_end_cannot_be_before_what_there_is_or_was() {
        let refused = |script: &str, text: &str| {
            assert_eq!(run(&format!("XADD s 5 a 1 \n {script}")), error(text), "{script}");
        };
        refused(
            "XSETID s 4",
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        );
        refused(
            "XDEL s 5 \n XSETID s 4",
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        );
        refused(
            "XSETID s 6 MAXDELETEDID 7",
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        );
        refused(
            "XSETID s 6 ENTRIESADDED 0",
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        );
        refused("XSETID s 6 ENTRIESADDED -1", "ERR entries_added must be positive");
        refused("XSETID nosuch 6", "ERR no such key");
    }
}
