use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::entry::write_entries;
use super::id::{parse_end, parse_start};
use crate::{Command, Error, Result};

pub(crate) const XLEN: Command = Command {
    spec: CommandSpec::new(
        "xlen",
        Group::Stream,
        Arity::Exactly(2),
        "Returns how many entries a stream has.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("5.0.0")
    .syntax("key"),
    run: xlen,
};

/// XLEN key
fn xlen(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let len = database.get::<Stream>(key)?.map_or(0, Stream::len);
    reply.integer(len as i64);
    Ok(())
}

pub(crate) const XRANGE: Command = Command {
    spec: CommandSpec::new(
        "xrange",
        Group::Stream,
        Arity::AtLeast(4),
        "Returns the entries of a stream within a range of ids.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("5.0.0")
    .syntax("key start end [COUNT count]"),
    run: xrange,
};

/// XRANGE key start end [COUNT count]
fn xrange(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let start = parse_start(args.bytes()?)?;
    let end = parse_end(args.bytes()?)?;
    let count = parse_count(args)?;

    match database.get::<Stream>(key)? {
        None => reply.array(0),
        Some(_) if count == 0 => reply.null_array(),
        Some(stream) => write_entries(reply, stream.log.range(start, end).take(count)),
    }
    Ok(())
}

pub(crate) const XREVRANGE: Command = Command {
    spec: CommandSpec::new(
        "xrevrange",
        Group::Stream,
        Arity::AtLeast(4),
        "Returns the entries of a stream within a range of ids, the last one first.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("5.0.0")
    .syntax("key end start [COUNT count]"),
    run: xrevrange,
};

/// XREVRANGE key end start [COUNT count]
fn xrevrange(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let end = args.bytes()?;
    let start = parse_start(args.bytes()?)?;
    let end = parse_end(end)?;
    let count = parse_count(args)?;

    match database.get::<Stream>(key)? {
        None => reply.array(0),
        Some(_) if count == 0 => reply.null_array(),
        Some(stream) => write_entries(reply, stream.log.range(start, end).rev().take(count)),
    }
    Ok(())
}

/// How many at most. Less than none is none; without the option there is no limit.
fn parse_count(mut args: Args) -> Result<usize> {
    let mut count = usize::MAX;
    while !args.is_empty() {
        if args.len() < 2 || !args.keyword("COUNT") {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
        count = usize::try_from(args.integer()?).unwrap_or(0);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const THREE: &str = "XADD s 1 a x \n XADD s 2 a y \n XADD s 3 a z \n";

    fn entry(id: &str, value: &str) -> Reply {
        Reply::Array(vec![bulk(id), Reply::Array(vec![bulk("a"), bulk(value)])])
    }

    #[test]
    fn a_range_takes_in_its_ends_unless_they_are_excluded() {
        assert_eq!(
            run(&format!("{THREE} XRANGE s - 2")),
            Reply::Array(vec![entry("1-0", "x"), entry("2-0", "y")])
        );
        assert_eq!(
            run(&format!("{THREE} XRANGE s (1 (3-0")),
            Reply::Array(vec![entry("2-0", "y")])
        );
        assert_eq!(run(&format!("{THREE} XRANGE s 3 1")), Reply::Array(vec![]));
        assert_eq!(run("XRANGE s - (0-0"), error("ERR invalid end ID for the interval"));
    }

    #[test]
    fn the_last_come_first_in_reverse() {
        assert_eq!(
            run(&format!("{THREE} XREVRANGE s + - COUNT 2")),
            Reply::Array(vec![entry("3-0", "z"), entry("2-0", "y")])
        );
    }

    #[test]
    fn a_count_of_none_gives_nothing_rather_than_no_entries() {
        assert_eq!(run(&format!("{THREE} XRANGE s - + COUNT 0")), Reply::Null);
        assert_eq!(run("XRANGE nosuch - + COUNT 0"), Reply::Array(vec![]));
    }
}
