use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::{self, StreamId};
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::id::{invalid_id, parse_id};
use super::no_group::no_group_of_key;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(super) const KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

pub(crate) const CREATE: Command = Command {
    spec: CommandSpec::new(
        "xgroup|create",
        Group::Stream,
        Arity::AtLeast(5),
        "Creates a consumer group that reads a stream from after an id.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(KEY)
    .key_flags(&["RW insert"])
    .since("5.0.0")
    .syntax("key group <id|$> [MKSTREAM] [ENTRIESREAD entries-read]"),
    run: create,
};

/// XGROUP CREATE key group <id|$> [MKSTREAM] [ENTRIESREAD entries-read]
fn create(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let id = args.bytes()?;
    let mut may_create = false;
    let mut entries_read = None;
    while !args.is_empty() {
        if args.keyword("MKSTREAM") {
            may_create = true;
        } else if args.len() > 1 && args.keyword("ENTRIESREAD") {
            entries_read = parse_entries_read(&mut args)?;
        } else {
            return fail(
                "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
            );
        }
    }

    let last_id = match database.get_mut::<Stream>(key)? {
        Some(stream) => Some(stream.log.last_id()),
        None if may_create => None,
        None => return Err(no_key().into()),
    };
    let last_delivered = match id {
        b"$" => last_id.unwrap_or_default(),
        _ => parse_id(id)?,
    };
    let stream = database.get_or_insert::<Stream>(key)?;
    if !stream.create_group(group, stream::Group::new(last_delivered, entries_read)) {
        return fail("BUSYGROUP Consumer Group name already exists");
    }
    database.changed(EventKind::XGROUP_CREATE, key);
    reply.ok();
    Ok(())
}

pub(crate) const SETID: Command = Command {
    spec: CommandSpec::new(
        "xgroup|setid",
        Group::Stream,
        Arity::AtLeast(5),
        "Sets the id from after which a consumer group reads on.",
    )
    .flags(Flags::WRITE)
    .keys(KEY)
    .key_flags(&["RW update"])
    .since("5.0.0")
    .syntax("key group <id|$> [ENTRIESREAD entries-read]"),
    run: set_id,
};

/// XGROUP SETID key group <id|$> [ENTRIESREAD entries-read]
fn set_id(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let name = args.bytes()?;
    let id = args.bytes()?;
    let mut entries_read = None;
    while !args.is_empty() {
        if args.len() > 1 && args.keyword("ENTRIESREAD") {
            entries_read = parse_entries_read(&mut args)?;
        } else {
            return fail(
                "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.",
            );
        }
    }

    let stream = existing(database, key)?;
    let last_id = stream.log.last_id();
    let group = stream.group_mut(name).ok_or_else(|| no_group_of_key(key, name))?;
    // Here the ends of an interval are ids, unlike when the group was created.
    let last_delivered = match id {
        b"$" => last_id,
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        _ => StreamId::parse(id, 0).ok_or_else(invalid_id)?,
    };
    group.set_id(last_delivered, entries_read);
    database.changed(EventKind::XGROUP_SETID, key);
    reply.ok();
    Ok(())
}

/// How many entries the group is to have read; -1 for unknown.
fn parse_entries_read(args: &mut Args) -> Result<Option<u64>> {
    match args.integer()? {
        -1 => Ok(None),
        read => match u64::try_from(read) {
            Ok(read) => Ok(Some(read)),
            Err(_) => fail("ERR value for ENTRIESREAD must be positive or -1"),
        },
    }
}

pub(crate) const DESTROY: Command = Command {
    spec: CommandSpec::new(
        "xgroup|destroy",
        Group::Stream,
        Arity::Exactly(4),
        "Destroys a consumer group, whatever it has pending.",
    )
    .flags(Flags::WRITE)
    .keys(KEY)
    .key_flags(&["RW delete"])
    .since("5.0.0")
    .syntax("key group"),
    run: destroy,
};

/// XGROUP DESTROY key group
fn destroy(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;

    let destroyed = existing(database, key)?.destroy_group(group).is_some();
    if destroyed {
        // Those who wait as consumers of the group learn of it, too: their reads are run again.
        database.changed(EventKind::XGROUP_DESTROY, key);
    }
    reply.integer(i64::from(destroyed));
    Ok(())
}

/// The stream, which must be there for every XGROUP but CREATE with MKSTREAM.
pub(super) fn existing<'d>(database: &'d mut Database, key: &[u8]) -> Result<&'d mut Stream> {
    Ok(database.get_mut::<Stream>(key)?.ok_or_else(no_key)?)
}

fn no_key() -> Error {
    Error::text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    )
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    const OK: fn() -> Reply = || Reply::Simple(b"OK".to_vec());

    #[test]
    fn a_group_needs_a_stream_or_leave_to_make_one() {
        assert_eq!(run("XGROUP CREATE s g $ MKSTREAM"), OK());
        assert_eq!(
            run("XGROUP CREATE s g $"),
            error(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
                 MKSTREAM option to create an empty stream automatically."
            )
        );
        assert_eq!(run("XGROUP CREATE s g x MKSTREAM \n EXISTS s"), Reply::Integer(0));
    }

    #[test]
    fn names_of_groups_are_unique() {
        assert_eq!(
            run("XGROUP CREATE s g $ MKSTREAM \n XGROUP CREATE s g 0"),
            error("BUSYGROUP Consumer Group name already exists")
        );
    }

    #[test]
    fn a_group_reads_from_where_it_is_set_to() {
        let script = "XADD s 1 a x \n XGROUP CREATE s g $ \n";
        let read = "XREADGROUP GROUP g ann STREAMS s >";
        assert_eq!(run(&format!("{script} {read}")), Reply::Null);
        assert_ne!(run(&format!("{script} XGROUP SETID s g 0 \n {read}")), Reply::Null);
        assert_eq!(
            run(&format!("{script} XGROUP SETID s nosuch 0")),
            error("NOGROUP No such consumer group 'nosuch' for key name 's'")
        );
        assert_eq!(
            run(&format!("{script} XGROUP SETID s g 0 ENTRIESREAD -2")),
            error("ERR value for ENTRIESREAD must be positive or -1")
        );
    }

    #[test]
    fn a_destroyed_group_is_gone() {
        let script = "XGROUP CREATE s g $ MKSTREAM \n XGROUP DESTROY s g";
        assert_eq!(run(script), Reply::Integer(1));
        assert_eq!(run(&format!("{script} \n XGROUP DESTROY s g")), Reply::Integer(0));
    }
}
