use std::ops::Range;

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, SortedSet};
use resp::ReplyWriter;

use super::bounds::{IndexBounds, lex_bounds, score_bounds};
use crate::{Command, Result};

pub(crate) const ZREMRANGEBYRANK: Command = Command {
    spec: CommandSpec::new(
        "zremrangebyrank",
        Group::SortedSet,
        Arity::Exactly(4),
        "Removes the members of a sorted set within a range of ranks.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("2.0.0")
    .syntax("key start stop"),
    run: zremrangebyrank,
};

/// ZREMRANGEBYRANK key start stop
fn zremrangebyrank(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let bounds = IndexBounds::parse(&mut args)?;

    remove(database, key, reply, EventKind::ZREMRANGEBYRANK, |set| bounds.within(set.len()))
}

pub(crate) const ZREMRANGEBYSCORE: Command = Command {
    spec: CommandSpec::new(
        "zremrangebyscore",
        Group::SortedSet,
        Arity::Exactly(4),
        "Removes the members of a sorted set within a range of scores.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("1.2.0")
    .syntax("key min-score max-score"),
    run: zremrangebyscore,
};

/// ZREMRANGEBYSCORE key min max
fn zremrangebyscore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let (min, max) = score_bounds(args.bytes()?, args.bytes()?)?;

    remove(database, key, reply, EventKind::ZREMRANGEBYSCORE, |set| set.score_ranks(min, max))
}

pub(crate) const ZREMRANGEBYLEX: Command = Command {
    spec: CommandSpec::new(
        "zremrangebylex",
        Group::SortedSet,
        Arity::Exactly(4),
        "Removes the members of a sorted set that lie between two others, all scores being equal.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("2.8.9")
    .syntax("key min max"),
    run: zremrangebylex,
};

/// ZREMRANGEBYLEX key min max
fn zremrangebylex(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let (min, max) = lex_bounds(args.bytes()?, args.bytes()?)?;

    remove(database, key, reply, EventKind::ZREMRANGEBYLEX, |set| set.lex_ranks(min, max))
}

fn remove(
    database: &mut Database,
    key: &[u8],
    reply: &mut ReplyWriter,
    event: EventKind,
    ranks: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Result {
    let removed = match database.get_mut::<SortedSet>(key)? {
        Some(set) => set.remove_ranks(ranks(set)),
        None => 0,
    };
    if removed > 0 {
        database.changed(event, key);
    }
    reply.integer(removed as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, events, run};

    #[test]
    fn what_lies_in_the_range_goes() {
        for (command, removed) in [
            ("ZREMRANGEBYRANK z 1 -2", 1),
            ("ZREMRANGEBYRANK z 5 9", 0),
            ("ZREMRANGEBYSCORE z (1 3", 2),
            ("ZREMRANGEBYLEX nosuch - +", 0),
        ] {
            let script = format!("ZADD z 1 a 2 b 3 c \n {command}");
            assert_eq!(run(&script), Reply::Integer(removed), "{command}");
        }
        assert_eq!(run("ZADD z 0 a 0 b 0 c \n ZREMRANGEBYLEX z [b +"), Reply::Integer(2));
    }

    #[test]
    fn the_key_goes_with_its_last_member() {
        assert_eq!(run("ZADD z 1 a \n ZREMRANGEBYRANK z 0 -1 \n EXISTS z"), Reply::Integer(0));
        assert_eq!(run("ZREMRANGEBYSCORE z a 1"), error("ERR min or max is not a float"));
    }

    #[test]
    fn what_removes_nothing_is_no_event() {
        assert_eq!(events("ZADD z 1 a 2 b \n ZREMRANGEBYSCORE z 2 2"), ["zremrangebyscore z"]);
        assert!(events("ZADD z 1 a \n ZREMRANGEBYSCORE z 2 2").is_empty());
    }
}
