use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::{Claim, Claimed, DeliveryCount, StreamId};
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::consumer::announce_consumer;
use super::entry::{write_entry, write_ids};
use super::id::{now_ms, parse_id};
use super::no_group::no_key_or_group;
use crate::{Command, Error, Result};

pub(crate) const XCLAIM: Command = Command {
    spec: CommandSpec::new(
        "xclaim",
        Group::Stream,
        Arity::AtLeast(6),
        "Makes a consumer the owner of entries that were delivered to another one of its group.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First).key_flags(&["RW update"])
    .since("5.0.0")
    .syntax(
        "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] \
         [FORCE] [JUSTID] [LASTID lastid]",
    ),
    run: xclaim,
};

/// What a claim answers with.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Entries,
    /// JUSTID
    Ids,
}

/// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]
fn xclaim(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let consumer = args.bytes()?;
    let now_ms = now_ms(database);
    let stream = database.get_mut::<Stream>(key)?;
    let reading = stream
        .and_then(|stream| stream.reading(group))
        .ok_or_else(|| no_key_or_group(key, group))?;
    let known = reading.knows(consumer);
    let idle_ms_min = parse_idle(&mut args, "ERR Invalid min-idle-time argument for XCLAIM")?;
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(|text| StreamId::parse(text, 0)) {
        ids.push(id);
        args.bytes()?;
    }
    let (claim, shown) = parse_options(args, idle_ms_min, now_ms)?;

    let claimed = reading.claim(consumer, ids, &claim, now_ms);
    let has_changed =
        claim.last_id.is_some() || !claimed.entries.is_empty() || !claimed.deleted.is_empty();
    write_claimed(reply, &claimed, shown);
    if !known {
        announce_consumer(database, key);
    }
    if has_changed {
        database.changed_quietly();
    }
    Ok(())
}

/// Less than none is none.
pub(super) fn parse_idle(args: &mut Args, error: &'static str) -> Result<u64> {
    let idle_ms = args.integer().map_err(|_| Error::text(error))?;
    Ok(u64::try_from(idle_ms).unwrap_or(0))
}

fn parse_options(mut args: Args, idle_ms_min: u64, now_ms: u64) -> Result<(Claim, Shown)> {
    let mut claim = Claim {
        idle_ms_min,
        delivery_time_ms: None,
        delivery_count: DeliveryCount::Increment,
        force: false,
        last_id: None,
    };
    let mut shown = Shown::Entries;
    let mut retry_count = None;
    while let Some(word) = args.peek() {
        let has_value = args.len() > 1;
        if args.keyword("FORCE") {
            claim.force = true;
        } else if args.keyword("JUSTID") {
            shown = Shown::Ids;
        } else if has_value && args.keyword("IDLE") {
            let idle_ms = parse_number(&mut args, "ERR Invalid IDLE option argument for XCLAIM")?;
            claim.delivery_time_ms = Some(now_ms.cast_signed().saturating_sub(idle_ms));
        } else if has_value && args.keyword("TIME") {
            claim.delivery_time_ms =
                Some(parse_number(&mut args, "ERR Invalid TIME option argument for XCLAIM")?);
        } else if has_value && args.keyword("RETRYCOUNT") {
            let count =
                parse_number(&mut args, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            // Less than none stands for the lack of the option.
            retry_count = u64::try_from(count).ok();
        } else if has_value && args.keyword("LASTID") {
            claim.last_id = Some(parse_id(args.bytes()?)?);
        } else {
            let word = String::from_utf8_lossy(word);
            return Err(
                Error::Text(format!("ERR Unrecognized XCLAIM option '{word}'").into()).into()
            );
        }
    }
    claim.delivery_count = match (retry_count, shown) {
        (Some(count), _) => DeliveryCount::Set(count),
        (None, Shown::Ids) => DeliveryCount::Keep,
        (None, Shown::Entries) => DeliveryCount::Increment,
    };
    Ok((claim, shown))
}

fn parse_number(args: &mut Args, error: &'static str) -> Result<i64> {
    Ok(args.integer().map_err(|_| Error::text(error))?)
}

pub(super) fn write_claimed(reply: &mut ReplyWriter, claimed: &Claimed, shown: Shown) {
    match shown {
        Shown::Ids => write_ids(reply, claimed.entries.iter().map(|entry| entry.id)),
        Shown::Entries => {
            reply.array(claimed.entries.len());
            for entry in &claimed.entries {
                write_entry(reply, entry.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const READ: &str = "XADD s 1 a x \n XADD s 2 a y \n XGROUP CREATE s g 0 \n XREADGROUP GROUP g ann COUNT 1 STREAMS s > \n";

    fn claim(script: &str) -> Reply {
        run(&format!("{READ} {script}"))
    }

    #[test]
    fn a_claim_takes_what_has_been_pending_for_long_enough() {
        let fields = Reply::Array(vec![bulk("a"), bulk("x")]);
        assert_eq!(
            claim("XCLAIM s g bob 0 1 2"),
            Reply::Array(vec![Reply::Array(vec![bulk("1-0"), fields])])
        );
        assert_eq!(claim("XCLAIM s g bob 1 1"), Reply::Array(vec![]));
        assert_eq!(
            claim("XCLAIM s g bob 0 1 2 JUSTID FORCE"),
            Reply::Array(vec![bulk("1-0"), bulk("2-0")])
        );
    }

    #[test]
    fn time_and_count_may_be_given() {
        assert_eq!(
            claim("XCLAIM s g bob 0 1 IDLE 500 RETRYCOUNT 7 \n XPENDING s g - + 9"),
            Reply::Array(vec![Reply::Array(vec![
                bulk("1-0"),
                bulk("bob"),
                Reply::Integer(500),
                Reply::Integer(7)
            ])])
        );
    }

    #[test]
    fn each_option_has_its_own_error() {
        for (options, text) in [
            ("x 1", "ERR Invalid min-idle-time argument for XCLAIM"),
            ("0 1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
            ("0 1 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
            ("0 1 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
            ("0 1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
            ("0 1 x", "ERR Unrecognized XCLAIM option 'x'"),
        ] {
            assert_eq!(claim(&format!("XCLAIM s g bob {options}")), error(text), "{options}");
        }
        assert_eq!(
            claim("XCLAIM s nosuch bob x 1"),
            error("NOGROUP No such key 's' or consumer group 'nosuch'")
        );
    }
}
