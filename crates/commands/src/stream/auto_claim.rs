use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::DeliveryCount;
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::claim::{Shown, parse_idle, write_claimed};
use super::consumer::announce_consumer;
use super::entry::write_ids;
use super::id::{now_ms, parse_start, write_id};
use super::no_group::no_key_or_group;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const XAUTOCLAIM: Command = Command {
    spec: CommandSpec::new(
        "xautoclaim",
        Group::Stream,
        Arity::AtLeast(6),
        "Makes a consumer the owner of the next entries of its group that have been pending for long enough.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First).key_flags(&["RW delete"])
    .since("6.2.0")
    .syntax("key group consumer min-idle-time start [COUNT count] [JUSTID]"),
    run: xautoclaim,
};

const COUNT: usize = 100;
/// Redis' own bound: what ten looks for each, or an id for each, would let overflow.
const COUNT_MAX: i64 = i64::MAX / 16;

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
fn xautoclaim(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let consumer = args.bytes()?;
    let idle_ms_min = parse_idle(&mut args, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let start = parse_start(args.bytes()?)?;
    let (mut count, mut shown) = (COUNT, Shown::Entries);
    while !args.is_empty() {
        if args.len() > 1 && args.keyword("COUNT") {
            count = match args.integer_in(1..=COUNT_MAX) {
                Ok(count) => count as usize,
                Err(_) => return fail("ERR COUNT must be > 0"),
            };
        } else if args.keyword("JUSTID") {
            shown = Shown::Ids;
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    let delivery_count = match shown {
        Shown::Entries => DeliveryCount::Increment,
        Shown::Ids => DeliveryCount::Keep,
    };

    let now_ms = now_ms(database);
    let stream = database.get_mut::<Stream>(key)?;
    let reading = stream
        .and_then(|stream| stream.reading(group))
        .ok_or_else(|| no_key_or_group(key, group))?;
    let known = reading.knows(consumer);
    let auto = reading.auto_claim(consumer, idle_ms_min, start, count, delivery_count, now_ms);
    let claimed = auto.claimed;
    let has_changed = !claimed.entries.is_empty() || !claimed.deleted.is_empty();
    reply.array(3);
    write_id(reply, auto.next);
    write_claimed(reply, &claimed, shown);
    write_ids(reply, claimed.deleted.iter().copied());
    if !known {
        announce_consumer(database, key);
    }
    if has_changed {
        database.changed_quietly();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const READ: &str = "XADD s 1 a x \n XADD s 2 a y \n XADD s 3 a z \n XGROUP CREATE s g 0 \n
        XREADGROUP GROUP g ann STREAMS s > \n XDEL s 1 \n";

    #[test]
    fn it_says_where_to_go_on_and_what_is_gone() {
        assert_eq!(
            run(&format!("{READ} XAUTOCLAIM s g bob 0 - COUNT 2 JUSTID")),
            Reply::Array(vec![
                bulk("3-0"),
                Reply::Array(vec![bulk("2-0")]),
                Reply::Array(vec![bulk("1-0")])
            ])
        );
    }

    #[test]
    fn a_count_is_at_least_one() {
        for count in ["0", "-1", "x", "9223372036854775807"] {
            assert_eq!(
                run(&format!("{READ} XAUTOCLAIM s g bob 0 - COUNT {count}")),
                error("ERR COUNT must be > 0")
            );
        }
    }
}
