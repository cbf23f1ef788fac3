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

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const READ: &str = "XADD s 1 a x \n XADD s 2 a y \n XGROUP CREATE s g 0 \n
        XREADGROUP GROUP g ann COUNT 1 STREAMS s > \n XREADGROUP GROUP g bob STREAMS s > \n";

    fn row(id: &str, consumer: &str) -> Reply {
        Reply::Array(vec![bulk(id), bulk(consumer), Reply::Integer(0), Reply::Integer(1)])
    }

    #[test]
    fn the_sum_tells_of_consumers_that_have_something_pending() {
        let of = |name| Reply::Array(vec![bulk(name), bulk("1")]);
        assert_eq!(
            run(&format!("{READ} XGROUP CREATECONSUMER s g eve \n XPENDING s g")),
            Reply::Array(vec![
                Reply::Integer(2),
                bulk("1-0"),
                bulk("2-0"),
                Reply::Array(vec![of("ann"), of("bob")])
            ])
        );
        assert_eq!(
            run("XGROUP CREATE s g 0 MKSTREAM \n XPENDING s g"),
            Reply::Array(vec![Reply::Integer(0), Reply::Null, Reply::Null, Reply::Null])
        );
    }

    #[test]
    fn a_listing_is_cut_by_ids_count_consumer_and_idle_time() {
        let list = |options: &str| run(&format!("{READ} XPENDING s g {options}"));
        assert_eq!(list("- + 9"), Reply::Array(vec![row("1-0", "ann"), row("2-0", "bob")]));
        assert_eq!(list("- + 1"), Reply::Array(vec![row("1-0", "ann")]));
        assert_eq!(list("- + 9 bob"), Reply::Array(vec![row("2-0", "bob")]));
        assert_eq!(list("(1 + 9"), Reply::Array(vec![row("2-0", "bob")]));
        assert_eq!(list("IDLE 1 - + 9"), Reply::Array(vec![]));
        assert_eq!(list("IDLE 1 - +"), error("ERR syntax error"));
        assert_eq!(list("- + 9 nobody"), Reply::Array(vec![]));
    }

    #[test]
    fn a_group_that_is_not_there_has_its_own_error() {
        assert_eq!(
            run("XPENDING nosuch g"),
            error("NOGROUP No such key 'nosuch' or consumer group 'g'")
        );
    }
}
