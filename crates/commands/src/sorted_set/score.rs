use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::sorted_set::Score;
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const ZSCORE: Command = Command {
    spec: CommandSpec::new(
        "zscore",
        Group::SortedSet,
        Arity::Exactly(3),
        "Returns the score of a member of a sorted set.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("1.2.0")
    .syntax("key member"),
    run: zscore,
};

/// ZSCORE key member
fn zscore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let member = args.bytes()?;

    let set = database.get::<SortedSet>(key)?;
    write_score(reply, set.and_then(|set| set.score(member)));
    Ok(())
}

pub(crate) const ZMSCORE: Command = Command {
    spec: CommandSpec::new(
        "zmscore",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns the scores of several members of a sorted set.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("6.2.0")
    .syntax("key member [member ...]"),
    run: zmscore,
};

/// ZMSCORE key member [member ...]
fn zmscore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let members = args.rest();

    let set = database.get::<SortedSet>(key)?;
    reply.array(members.len());
    for member in members {
        write_score(reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

fn write_score(reply: &mut ReplyWriter, score: Option<Score>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run, run_resp3};

    #[test]
    fn scores_are_doubles_and_nothing_has_none() {
        assert_eq!(run("ZADD z 1.5 a \n ZSCORE z a"), bulk("1.5"));
        assert_eq!(run_resp3("ZADD z -inf a \n ZSCORE z a"), Reply::Double(f64::NEG_INFINITY));
        assert_eq!(run("ZADD z 1 a \n ZSCORE z b"), Reply::Null);
        assert_eq!(run("ZSCORE nosuch a"), Reply::Null);
        assert_eq!(run("ZADD z 1 a \n ZMSCORE z a b"), Reply::Array(vec![bulk("1"), Reply::Null]));
        assert_eq!(run("ZMSCORE nosuch a"), Reply::Array(vec![Reply::Null]));
    }
}
