use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use super::bounds::{lex_bounds, score_bounds};
use crate::{Command, Result};

pub(crate) const ZCARD: Command = Command {
    spec: CommandSpec::new(
        "zcard",
        Group::SortedSet,
        Arity::Exactly(2),
        "Returns how many members a sorted set has.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("1.2.0")
    .syntax("key"),
    run: zcard,
};

/// ZCARD key
fn zcard(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    reply.integer(database.get::<SortedSet>(key)?.map_or(0, SortedSet::len) as i64);
    Ok(())
}

pub(crate) const ZCOUNT: Command = Command {
    spec: CommandSpec::new(
        "zcount",
        Group::SortedSet,
        Arity::Exactly(4),
        "Counts the members of a sorted set whose scores lie between two bounds.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key min-score max-score"),
    run: zcount,
};

/// ZCOUNT key min max
fn zcount(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let (min, max) = score_bounds(args.bytes()?, args.bytes()?)?;

    let set = database.get::<SortedSet>(key)?;
    reply.integer(set.map_or(0, |set| set.score_ranks(min, max).len()) as i64);
    Ok(())
}

pub(crate) const ZLEXCOUNT: Command = Command {
    spec: CommandSpec::new(
        "zlexcount",
        Group::SortedSet,
        Arity::Exactly(4),
        "Counts the members of a sorted set that lie between two others, all scores being equal.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("2.8.9")
    .syntax("key min max"),
    run: zlexcount,
};

/// ZLEXCOUNT key min max
fn zlexcount(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let (min, max) = lex_bounds(args.bytes()?, args.bytes()?)?;

    let set = database.get::<SortedSet>(key)?;
    reply.integer(set.map_or(0, |set| set.lex_ranks(min, max).len()) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn bounds_are_included_unless_they_say_otherwise() {
        for (command, count) in [
            ("ZCARD z", 3),
            ("ZCOUNT z 1 3", 3),
            ("ZCOUNT z (1 (3", 1),
            ("ZCOUNT z -inf +inf", 3),
            ("ZCOUNT z 3 1", 0),
            ("ZCOUNT nosuch 0 1", 0),
        ] {
            assert_eq!(
                run(&format!("ZADD z 1 a 2 b 3 c \n {command}")),
                Reply::Integer(count),
                "{command}"
            );
        }
        assert_eq!(run("ZADD z 0 a 0 b 0 c \n ZLEXCOUNT z [b +"), Reply::Integer(2));
        assert_eq!(run("ZADD z 0 a 0 b 0 c \n ZLEXCOUNT z + -"), Reply::Integer(0));
    }

    #[test]
    fn bounds_are_read_before_the_key() {
        assert_eq!(run("SET z text \n ZCOUNT z a 1"), error("ERR min or max is not a float"));
        assert_eq!(
            run("ZLEXCOUNT nosuch a +"),
            error("ERR min or max not valid string range item")
        );
    }
}
