use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use keyspace::value::stream;
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::entry::write_entry;
use super::group::KEY;
use super::id::{now_ms, write_id};
use super::info_full::write_full;
use super::no_group::no_group_of_key;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const STREAM: Command = Command {
    spec: CommandSpec::new(
        "xinfo|stream",
        Group::Stream,
        Arity::AtLeast(3),
        "Describes a stream, with FULL down to its entries, groups and consumers.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .since("5.0.0")
    .syntax("key [FULL [COUNT count]]"),
    run: stream,
};

/// How many entries and pending deliveries FULL shows.
const COUNT: usize = 10;

/// XINFO STREAM key [FULL [COUNT count]]
fn stream(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let stream = database.get::<Stream>(key)?.ok_or(Error::NoSuchKey)?;
    match parse_full(args)? {
        Some(count) => write_full(reply, stream, count),
        None => write_short(reply, stream),
    }
    Ok(())
}

fn parse_full(mut args: Args) -> Result<Option<usize>> {
    if args.is_empty() {
        return Ok(None);
    }
    if args.keyword("FULL") {
        if args.is_empty() {
            return Ok(Some(COUNT));
        }
        if args.len() == 2 && args.keyword("COUNT") {
            return Ok(Some(match args.integer()? {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(COUNT),
            }));
        }
    }
    fail("ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.")
}

fn write_short(reply: &mut ReplyWriter, stream: &Stream) {
    reply.map(10);
    write_log(reply, &stream.log);
    reply.text("groups");
    reply.integer(stream.groups().len() as i64);
    for (name, entry) in [("first-entry", stream.log.first()), ("last-entry", stream.log.last())] {
        reply.text(name);
        match entry {
            Some(entry) => write_entry(reply, entry),
            None => reply.null(),
        }
    }
}

/// Seven pairs.
pub(super) fn write_log(reply: &mut ReplyWriter, log: &stream::Log) {
    reply.text("length");
    reply.integer(log.len() as i64);
    // The blocks are the leaves of an ordered tree, whose root is one node more.
    reply.text("radix-tree-keys");
    reply.integer(log.blocks_len() as i64);
    reply.text("radix-tree-nodes");
    reply.integer(log.blocks_len() as i64 + 1);
    reply.text("last-generated-id");
    write_id(reply, log.last_id());
    reply.text("max-deleted-entry-id");
    write_id(reply, log.max_deleted_id());
    reply.text("entries-added");
    reply.integer(log.entries_added().cast_signed());
    reply.text("recorded-first-entry-id");
    write_id(reply, log.first_id());
}

pub(crate) const GROUPS: Command = Command {
    spec: CommandSpec::new(
        "xinfo|groups",
        Group::Stream,
        Arity::Exactly(3),
        "Describes the consumer groups of a stream.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .since("5.0.0")
    .syntax("key"),
    run: groups,
};

/// XINFO GROUPS key
fn groups(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let stream = database.get::<Stream>(key)?.ok_or(Error::NoSuchKey)?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.text("name");
        reply.bulk(name);
        reply.text("consumers");
        reply.integer(group.consumers().len() as i64);
        reply.text("pending");
        reply.integer(group.pending_len() as i64);
        write_progress(reply, stream, group);
    }
    Ok(())
}

/// Three pairs: how far a group has read.
pub(super) fn write_progress(reply: &mut ReplyWriter, stream: &Stream, group: &stream::Group) {
    reply.text("last-delivered-id");
    write_id(reply, group.last_delivered());
    reply.text("entries-read");
    write_known(reply, group.entries_read().map(u64::cast_signed));
    reply.text("lag");
    write_known(reply, stream.lag(group));
}

fn write_known(reply: &mut ReplyWriter, value: Option<i64>) {
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

pub(crate) const CONSUMERS: Command = Command {
    spec: CommandSpec::new(
        "xinfo|consumers",
        Group::Stream,
        Arity::Exactly(4),
        "Describes the consumers of a consumer group.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .since("5.0.0")
    .syntax("key group"),
    run: consumers,
};

/// XINFO CONSUMERS key group
fn consumers(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let name = args.bytes()?;

    let now_ms = now_ms(database);
    let stream = database.get::<Stream>(key)?.ok_or(Error::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key, name))?;
    reply.array(group.consumers().len());
    for (name, consumer) in group.consumers() {
        let since = |ms: u64| now_ms.saturating_sub(ms).cast_signed();
        reply.map(4);
        reply.text("name");
        reply.bulk(name);
        reply.text("pending");
        reply.integer(consumer.pending_len() as i64);
        reply.text("idle");
        reply.integer(since(consumer.seen_ms()));
        reply.text("inactive");
        reply.integer(consumer.active_ms().map_or(-1, since));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const READ: &str = "XADD s 1 a x \n XADD s 2 a y \n XGROUP CREATE s g 0 \n XREADGROUP GROUP g ann COUNT 1 STREAMS s > \n";

    fn field(reply: &Reply, name: &str) -> Reply {
        let Reply::Array(items) = reply else { panic!("no map: {reply:?}") };
        let mut pairs = items.chunks_exact(2).filter(|pair| pair[0] == bulk(name));
        pairs.next().expect("the field is there")[1].clone()
    }

    fn only(reply: Reply) -> Reply {
        let Reply::Array(mut items) = reply else { panic!("no array: {reply:?}") };
        assert_eq!(items.len(), 1);
        items.remove(0)
    }

    #[test]
    fn a_stream_is_told_in_short() {
        let info = run(&format!("{READ} XINFO STREAM s"));
        assert_eq!(field(&info, "length"), Reply::Integer(2));
        assert_eq!(field(&info, "last-generated-id"), bulk("2-0"));
        assert_eq!(field(&info, "entries-added"), Reply::Integer(2));
        assert_eq!(field(&info, "groups"), Reply::Integer(1));
        assert_eq!(
            field(&info, "first-entry"),
            Reply::Array(vec![bulk("1-0"), Reply::Array(vec![bulk("a"), bulk("x")])])
        );
        assert_eq!(run("XINFO STREAM nosuch x"), error("ERR no such key"));
    }

    #[test]
    fn the_full_story_goes_down_to_what_each_consumer_has_pending() {
        let info = run(&format!("{READ} XINFO STREAM s FULL COUNT 1"));
        assert_eq!(
            only(field(&info, "entries")),
            Reply::Array(vec![bulk("1-0"), Reply::Array(vec![bulk("a"), bulk("x")])])
        );
        let group = only(field(&info, "groups"));
        assert_eq!(field(&group, "lag"), Reply::Integer(1));
        let consumer = only(field(&group, "consumers"));
        assert_eq!(field(&consumer, "active-time"), Reply::Integer(1_700_000_000_000));
        let pending = only(field(&consumer, "pending"));
        assert_eq!(
            pending,
            Reply::Array(vec![bulk("1-0"), Reply::Integer(1_700_000_000_000), Reply::Integer(1)])
        );
    }

    #[test]
    fn options_that_are_not_known_are_no_subcommand() {
        for options in ["x", "FULL COUNT", "FULL x 1", "FULL COUNT 1 x"] {
            assert_eq!(
                run(&format!("{READ} XINFO STREAM s {options}")),
                error(
                    "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
                )
            );
        }
    }

    #[test]
    fn groups_tell_how_far_they_are() {
        let group = only(run(&format!("{READ} XINFO GROUPS s")));
        assert_eq!(field(&group, "name"), bulk("g"));
        assert_eq!(field(&group, "consumers"), Reply::Integer(1));
        assert_eq!(field(&group, "pending"), Reply::Integer(1));
        assert_eq!(field(&group, "last-delivered-id"), bulk("1-0"));
        assert_eq!(field(&group, "entries-read"), Reply::Integer(1));
    }

    #[test]
    fn a_consumer_that_never_got_anything_is_inactive_for_ever() {
        let script = "XGROUP CREATE s g 0 MKSTREAM \n XGROUP CREATECONSUMER s g ann \n";
        let consumer = only(run(&format!("{script} XINFO CONSUMERS s g")));
        assert_eq!(field(&consumer, "idle"), Reply::Integer(0));
        assert_eq!(field(&consumer, "inactive"), Reply::Integer(-1));
        assert_eq!(
            run(&format!("{script} XINFO CONSUMERS s nosuch")),
            error("NOGROUP No such consumer group 'nosuch' for key name 's'")
        );
    }
}
