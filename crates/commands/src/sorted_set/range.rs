use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use super::members::{Direction, write_members};
use super::range_query::{By, RangeQuery, Settled};
use crate::{Command, Result};

pub(crate) const ZRANGE: Command = Command {
    spec: CommandSpec::new(
        "zrange",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set within a range of ranks, scores or members.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("1.2.0")
    .syntax("key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"),
    run: |database, args, reply| range(database, args, reply, Settled::default()),
};

pub(crate) const ZREVRANGE: Command = Command {
    spec: CommandSpec::new(
        "zrevrange",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set within a range of ranks, highest scores first.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("1.2.0")
    .syntax("key start stop [WITHSCORES]"),
    run: |database, args, reply| {
        range(database, args, reply, settled(By::Index, Direction::Descending))
    },
};

pub(crate) const ZRANGEBYSCORE: Command = Command {
    spec: CommandSpec::new(
        "zrangebyscore",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set within a range of scores.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("1.0.5")
    .syntax("key min-score max-score [WITHSCORES] [LIMIT offset count]"),
    run: |database, args, reply| {
        range(database, args, reply, settled(By::Score, Direction::Ascending))
    },
};

pub(crate) const ZREVRANGEBYSCORE: Command = Command {
    spec: CommandSpec::new(
        "zrevrangebyscore",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set within a range of scores, highest scores first.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.2.0")
    .syntax("key max-score min-score [WITHSCORES] [LIMIT offset count]"),
    run: |database, args, reply| {
        range(database, args, reply, settled(By::Score, Direction::Descending))
    },
};

pub(crate) const ZRANGEBYLEX: Command = Command {
    spec: CommandSpec::new(
        "zrangebylex",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set that lie between two others, all scores being equal.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.9")
    .syntax("key min max [LIMIT offset count]"),
    run: |database, args, reply| {
        range(database, args, reply, settled(By::Lex, Direction::Ascending))
    },
};

pub(crate) const ZREVRANGEBYLEX: Command = Command {
    spec: CommandSpec::new(
        "zrevrangebylex",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Returns the members of a sorted set that lie between two others, last ones first.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.9")
    .syntax("key max min [LIMIT offset count]"),
    run: |database, args, reply| {
        range(database, args, reply, settled(By::Lex, Direction::Descending))
    },
};

fn settled(by: By, direction: Direction) -> Settled {
    Settled { by: Some(by), direction: Some(direction), shown: None }
}

/// ZRANGE and its kin: key min max [option ...]
fn range(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    settled: Settled,
) -> Result {
    let key = args.bytes()?;
    let query = RangeQuery::parse(args, settled)?;

    match database.get::<SortedSet>(key)? {
        Some(set) => write_members(reply, query.walk(set), query.shown),
        None => reply.array(0),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run, run_resp3};

    fn members(texts: &str) -> Reply {
        Reply::Array(texts.split_whitespace().map(bulk).collect())
    }

    #[test]
    fn ranges_are_of_ranks_scores_or_members() {
        for (command, expected) in [
            ("ZRANGE z 0 -1", "a b c d"),
            ("ZRANGE z 1 2 REV", "c b"),
            ("ZRANGE z 0 -1 LIMIT 5 -1", "a b c d"),
            ("ZREVRANGE z 0 0 WITHSCORES", "d 4"),
            ("ZRANGE z (1 3 BYSCORE", "b c"),
            ("ZRANGE z 3 (1 BYSCORE REV WITHSCORES", "c 3 b 2"),
            ("ZRANGEBYSCORE z -inf inf LIMIT 1 2", "b c"),
            ("ZRANGEBYSCORE z -inf inf LIMIT -1 2", ""),
            ("ZRANGEBYSCORE z -inf inf LIMIT 2 -1", "c d"),
            ("ZREVRANGEBYSCORE z 3 0 LIMIT 1 1", "b"),
            ("ZRANGEBYSCORE z 3 1", ""),
            ("ZRANGE nosuch 0 -1", ""),
        ] {
            let script = format!("ZADD z 1 a 2 b 3 c 4 d \n {command}");
            assert_eq!(run(&script), members(expected), "{command}");
        }
    }

    #[test]
    fn members_are_bounds_where_scores_are_equal() {
        for (command, expected) in [
            ("ZRANGEBYLEX z - +", "a b c d"),
            ("ZRANGEBYLEX z (a [c", "b c"),
            ("ZREVRANGEBYLEX z + [b LIMIT 0 2", "d c"),
            ("ZRANGE z [c [a BYLEX REV", "c b a"),
            ("ZRANGEBYLEX z + -", ""),
        ] {
            let script = format!("ZADD z 0 a 0 b 0 c 0 d \n {command}");
            assert_eq!(run(&script), members(expected), "{command}");
        }
    }

    #[test]
    fn with_scores_a_member_is_a_pair_in_resp3() {
        let pair = Reply::Array(vec![bulk("a"), Reply::Double(1.0)]);
        assert_eq!(run_resp3("ZADD z 1 a \n ZRANGE z 0 -1 WITHSCORES"), Reply::Array(vec![pair]));
    }

    #[test]
    fn options_must_fit_the_range_and_the_command() {
        let syntax = error("ERR syntax error");
        assert_eq!(run("ZRANGE z 0 1 BYLEX BYSCORE"), syntax);
        assert_eq!(run("ZRANGE z 0 1 REV REV"), syntax);
        assert_eq!(run("ZREVRANGE z 0 1 REV"), syntax);
        assert_eq!(run("ZRANGE z 0 1 LIMIT 1"), syntax);
        assert_eq!(
            run("ZRANGE z 0 1 LIMIT 0 1"),
            error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
            )
        );
        assert_eq!(
            run("ZRANGEBYLEX z - + WITHSCORES"),
            error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
        );
        assert_eq!(run("ZRANGE z a 1"), error("ERR value is not an integer or out of range"));
    }
}
