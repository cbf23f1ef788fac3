use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::{self, PendingFilter};
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::id::{now_ms, parse_end, parse_start, write_id};
use super::no_group::no_key_or_group;
use crate::{Command, Error, Result};

pub(crate) const XPENDING: Command = Command {
    spec: CommandSpec::new(
        "xpending",
        Group::Stream,
        Arity::AtLeast(3),
        "Tells which entries were delivered to a consumer group and not acknowledged yet, in sum or one by one.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("5.0.0")
    .syntax("key group [[IDLE min-idle-time] start end count [consumer]]"),
    run: xpending,
};

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
fn xpending(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group_name = args.bytes()?;
    let listing = if args.is_empty() { None } else { Some(parse_listing(args)?) };

    let now_ms = now_ms(database);
    let group = database.get::<Stream>(key)?.and_then(|stream| stream.group(group_name));
    let group = group.ok_or_else(|| no_key_or_group(key, group_name))?;
    match listing {
        None => write_summary(reply, group),
        Some((filter, count)) => write_listing(reply, group, filter, count, now_ms),
    }
    Ok(())
}

fn parse_listing<'a>(mut args: Args<'a>) -> Result<(PendingFilter<'a>, usize)> {
    // Redis takes up to six words, though only IDLE gives the last two a meaning.
    if !(3..=6).contains(&args.len()) {
        return Err(Error::Argument(ArgError::Syntax).into());
    }
    let mut idle_ms_min = 0;
    if args.keyword("IDLE") {
        idle_ms_min = u64::try_from(args.integer()?).unwrap_or(0);
        if args.len() < 3 {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    let (start, end) = (args.bytes()?, args.bytes()?);
    let count = usize::try_from(args.integer()?).unwrap_or(0);
    let (start, end) = (parse_start(start)?, parse_end(end)?);
    let consumer = args.peek();
    Ok((PendingFilter { start, end, consumer, idle_ms_min }, count))
}

/// How many, from which to which, and how many of each consumer that has any.
fn write_summary(reply: &mut ReplyWriter, group: &stream::Group) {
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let Some((first, last)) = group.pending_bounds() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, first);
    write_id(reply, last);
    let mark = reply.begin();
    let mut count = 0;
    for (name, consumer) in group.consumers().filter(|(_, consumer)| consumer.pending_len() > 0) {
        reply.array(2);
        reply.bulk(name);
        reply.bulk_integer(consumer.pending_len() as i64);
        count += 1;
    }
    reply.end_array(mark, count);
}

fn write_listing(
    reply: &mut ReplyWriter,
    group: &stream::Group,
    filter: PendingFilter,
    count: usize,
    now_ms: u64,
) {
    let mark = reply.begin();
    let mut written = 0;
    for (id, pending) in group.pending_matching(filter, now_ms).take(count) {
        reply.array(4);
        write_id(reply, id);
        reply.bulk(pending.consumer());
        reply.integer(pending.idle_ms(now_ms).cast_signed());
        reply.integer(pending.delivery_count().cast_signed());
        written += 1;
    }
    reply.end_array(mark, written);
}
