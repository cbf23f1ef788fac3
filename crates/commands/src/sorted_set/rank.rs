use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use super::members::Direction;
use crate::{Command, Error, Result};

pub(crate) const ZRANK: Command = Command {
    spec: CommandSpec::new(
        "zrank",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns how many members of a sorted set come before one, lowest scores first.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key member [WITHSCORE]"),
    run: |database, args, reply| rank(database, args, reply, Direction::Ascending, "zrank"),
};

pub(crate) const ZREVRANK: Command = Command {
    spec: CommandSpec::new(
        "zrevrank",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns how many members of a sorted set come before one, highest scores first.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key member [WITHSCORE]"),
    run: |database, args, reply| rank(database, args, reply, Direction::Descending, "zrevrank"),
};

/// ZRANK, ZREVRANK key member [WITHSCORE]
fn rank(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    direction: Direction,
    name: &str,
) -> Result {
    let key = args.bytes()?;
    let member = args.bytes()?;
    if args.len() > 1 {
        let text = format!("ERR wrong number of arguments for '{name}' command");
        return Err(Error::Text(text.into()).into());
    }
    let with_score = args.keyword("WITHSCORE");
    if !args.is_empty() {
        return Err(Error::Argument(ArgError::Syntax).into());
    }

    let found =
        database.get::<SortedSet>(key)?.and_then(|set| Some((set.rank(member)?, set.len(), set)));
    match found {
        Some((rank, len, set)) => {
            let rank = match direction {
                Direction::Ascending => rank,
                Direction::Descending => len - 1 - rank,
            };
            if with_score {
                reply.array(2);
            }
            reply.integer(rank as i64);
            if with_score {
                reply.double(set.score(member).expect("what has a rank has a score"));
            }
        }
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn ranks_count_from_either_end() {
        assert_eq!(run("ZADD z 1 a 2 b 3 c \n ZRANK z a"), Reply::Integer(0));
        assert_eq!(run("ZADD z 1 a 2 b 3 c \n ZREVRANK z a"), Reply::Integer(2));
        assert_eq!(
            run("ZADD z 1 a 2 b \n ZREVRANK z b WITHSCORE"),
            Reply::Array(vec![Reply::Integer(0), bulk("2")])
        );
    }

    #[test]
    fn what_is_not_there_has_no_rank() {
        assert_eq!(run("ZADD z 1 a \n ZRANK z b"), Reply::Null);
        assert_eq!(run("ZRANK nosuch a WITHSCORE"), Reply::Null);
        assert_eq!(run("ZRANK z a WITHSCORES"), error("ERR syntax error"));
        assert_eq!(
            run("ZRANK z a WITHSCORE x"),
            error("ERR wrong number of arguments for 'zrank' command")
        );
    }
}
