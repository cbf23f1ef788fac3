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
