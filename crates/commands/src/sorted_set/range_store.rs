use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Object, SortedSet};
use resp::ReplyWriter;

use super::members::Shown;
use super::range_query::{RangeQuery, Settled};
use crate::store::store;
use crate::{Command, Result};

pub(crate) const ZRANGESTORE: Command = Command {
    spec: CommandSpec::new(
        "zrangestore",
        Group::SortedSet,
        Arity::AtLeast(5),
        "Stores a range of a sorted set's members in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .key_flags(&["OW update", "RO access"])
    .since("6.2.0")
    .syntax("destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]"),
    run: zrangestore,
};

/// ZRANGESTORE destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
fn zrangestore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let destination = args.bytes()?;
    let source = args.bytes()?;
    // What is stored has its score anyway, and there is no asking for it.
    let settled = Settled { shown: Some(Shown::Member), ..Settled::default() };
    let query = RangeQuery::parse(args, settled)?;

    let limits = database.limits();
    let mut result = SortedSet::default();
    if let Some(set) = database.get::<SortedSet>(source)? {
        for (member, score) in query.walk(set) {
            result.insert(member, score, &limits);
        }
    }
    let stored = store(database, destination, Object::SortedSet(result), EventKind::ZRANGESTORE);
    reply.integer(stored as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_range_is_stored_with_its_scores() {
        const SOURCE: &str = "ZADD z 1 a 2 b 3 c \n ";
        assert_eq!(run(&format!("{SOURCE} ZRANGESTORE d z 0 1")), Reply::Integer(2));
        assert_eq!(
            run(&format!("{SOURCE} ZRANGESTORE d z 3 2 BYSCORE REV \n ZRANGE d 0 -1 WITHSCORES")),
            Reply::Array(vec![bulk("b"), bulk("2"), bulk("c"), bulk("3")])
        );
    }

    #[test]
    fn an_empty_range_removes_the_destination() {
        assert_eq!(run("SET d text \n ZRANGESTORE d nosuch 0 -1 \n EXISTS d"), Reply::Integer(0));
        assert_eq!(run("ZRANGESTORE d z 0 -1 WITHSCORES"), error("ERR syntax error"));
    }
}
