use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use super::members::{Shown, write_members};
use crate::count_option::SampleSize;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const ZRANDMEMBER: Command = Command {
    spec: CommandSpec::new(
        "zrandmember",
        Group::SortedSet,
        Arity::AtLeast(2),
        "Returns one or more random members of a sorted set, which keeps them.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("6.2.0")
    .syntax("key [count [WITHSCORES]]"),
    run: zrandmember,
};

/// ZRANDMEMBER key [count [WITHSCORES]]
fn zrandmember(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    if args.is_empty() {
        return write_one(database, key, reply);
    }
    let size = SampleSize::parse(args.bytes()?)?;
    let shown = if args.is_empty() {
        Shown::Member
    } else if args.len() == 1 && args.keyword("WITHSCORES") {
        Shown::MemberAndScore
    } else {
        return Err(Error::Argument(ArgError::Syntax).into());
    };
    // The reply has twice as many elements, and its length must be one.
    if shown == Shown::MemberAndScore && size.count() > i64::MAX as usize / 2 {
        return fail("ERR value is out of range");
    }

    let mut random = database.generator();
    match database.get::<SortedSet>(key)? {
        Some(set) => write_sample(reply, set, size, shown, &mut || random.draw()),
        None => reply.array(0),
    }
    Ok(())
}

fn write_one(database: &mut Database, key: &[u8], reply: &mut ReplyWriter) -> Result {
    let mut random = database.generator();
    let set = database.get::<SortedSet>(key)?;
    let drawn = set.and_then(|set| set.random(&mut || random.draw()));
    reply.bulk_or_null(drawn.map(|(member, _)| member));
    Ok(())
}

fn write_sample(
    reply: &mut ReplyWriter,
    set: &SortedSet,
    size: SampleSize,
    shown: Shown,
    random: &mut dyn FnMut() -> u64,
) {
    match size {
        SampleSize::Repeated(count) => {
            let draw = |_| set.random(random).expect("a stored sorted set has members");
            write_members(reply, (0..count).map(draw), shown);
        }
        SampleSize::Distinct(count) if count >= set.len() => {
            write_members(reply, set.iter(), shown);
        }
        SampleSize::Distinct(count) => {
            write_members(reply, set.random_distinct(count, random).into_iter(), shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run, run_resp3};

    #[test]
    fn samples_repeat_only_where_they_may() {
        assert_eq!(run("ZADD z 1 a \n ZRANDMEMBER z -3"), Reply::Array(vec![bulk("a"); 3]));
        assert_eq!(run("ZADD z 1 a \n ZRANDMEMBER z 3"), Reply::Array(vec![bulk("a")]));
        let Reply::Array(two) = run("ZADD z 1 a 2 b 3 c \n ZRANDMEMBER z 2") else {
            panic!("a sample is an array")
        };
        assert!(two.len() == 2 && two[0] != two[1]);
    }

    #[test]
    fn scores_come_along_in_pairs_where_there_are_pairs() {
        assert_eq!(
            run("ZADD z 1 a \n ZRANDMEMBER z 1 WITHSCORES"),
            Reply::Array(vec![bulk("a"), bulk("1")])
        );
        assert_eq!(
            run_resp3("ZADD z 1 a \n ZRANDMEMBER z -1 WITHSCORES"),
            Reply::Array(vec![Reply::Array(vec![bulk("a"), Reply::Double(1.0)])])
        );
    }

    #[test]
    fn a_missing_key_gives_null_or_nothing() {
        assert_eq!(run("ZRANDMEMBER nosuch"), Reply::Null);
        assert_eq!(run("ZRANDMEMBER nosuch 3"), Reply::Array(vec![]));
        assert_eq!(run("ZRANDMEMBER z 1 SCORES"), error("ERR syntax error"));
        assert_eq!(
            run("ZRANDMEMBER z -9223372036854775807 WITHSCORES"),
            error("ERR value is out of range")
        );
    }
}
