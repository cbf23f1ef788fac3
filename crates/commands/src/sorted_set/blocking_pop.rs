use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::members::Direction;
use super::pop::pop;
use super::pop_first::PopFirst;
use crate::timeout::parse_timeout;
use crate::{Command, Result, Wait};

pub(crate) const BZPOPMIN: Command = Command {
    spec: CommandSpec::new(
        "bzpopmin",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Pops the lowest member from the first of several sorted sets that has any, or waits for one.",
    )
    .flags(Flags::WRITE.and(Flags::NO_SCRIPT).and(Flags::BLOCKING).and(Flags::FAST))
    .keys(Keys::Range { first: 1, last: -2, step: 1 }).key_flags(&["RW access delete"])
    .since("5.0.0")
    .syntax("key [key ...] timeout"),
    run: |database, args, reply| pop_one(database, args, reply, Direction::Ascending),
};

pub(crate) const BZPOPMAX: Command = Command {
    spec: CommandSpec::new(
        "bzpopmax",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Pops the highest member from the first of several sorted sets that has any, or waits for one.",
    )
    .flags(Flags::WRITE.and(Flags::NO_SCRIPT).and(Flags::BLOCKING).and(Flags::FAST))
    .keys(Keys::Range { first: 1, last: -2, step: 1 }).key_flags(&["RW access delete"])
    .since("5.0.0")
    .syntax("key [key ...] timeout"),
    run: |database, args, reply| pop_one(database, args, reply, Direction::Descending),
};

/// BZPOPMIN, BZPOPMAX key [key ...] timeout
fn pop_one(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    direction: Direction,
) -> Result {
    let deadline_ms = parse_timeout(args.last()?, database.now_ms())?;
    let keys = args.rest();

    for key in keys {
        let popped = pop(database, key, direction, 1, |members| {
            for (member, score) in members {
                reply.array(3);
                reply.bulk(key);
                reply.bulk(member);
                reply.double(score);
            }
        })?;
        if popped {
            return Ok(());
        }
    }
    Err(Wait::for_array(keys, deadline_ms).into())
}

pub(crate) const BZMPOP: Command = Command {
    spec: CommandSpec::new(
        "bzmpop",
        Group::SortedSet,
        Arity::AtLeast(5),
        "Pops the lowest or highest members from the first of several sorted sets that has any, or waits for some.",
    )
    .flags(Flags::WRITE.and(Flags::BLOCKING))
    .keys(Keys::Counted { at: 2, also: None }).key_flags(&["RW access delete"])
    .since("7.0.0")
    .syntax("timeout numkeys key [key ...] <MIN|MAX> [COUNT count]"),
    run: bzmpop,
};

/// BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]
fn bzmpop(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let timeout = args.bytes()?;
    let request = PopFirst::parse(args)?;
    let deadline_ms = parse_timeout(timeout, database.now_ms())?;

    if request.pop(database, reply)? {
        return Ok(());
    }
    Err(Wait::for_array(request.keys, deadline_ms).into())
}

#[cfg(test)]
mod tests {
    use command_spec::Args;
    use keyspace::{Keyspace, Options};
    use resp::{Protocol, Reply, ReplyWriter};

    use super::BZPOPMIN;
    use crate::Wait;
    use crate::testing::{NOW_MS, bulk, error, run};

    #[test]
    fn what_is_there_is_given_at_once() {
        assert_eq!(
            run("ZADD z 1 a 2 b \n BZPOPMAX nosuch z 0"),
            Reply::Array(vec![bulk("z"), bulk("b"), bulk("2")])
        );
        let pair = Reply::Array(vec![bulk("a"), bulk("1")]);
        assert_eq!(
            run("ZADD z 1 a 2 b \n BZMPOP 0 1 z MIN"),
            Reply::Array(vec![bulk("z"), Reply::Array(vec![pair])])
        );
    }

    #[test]
    fn where_nothing_is_the_client_waits_for_any_of_the_keys() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        keyspace.set_now(NOW_MS);
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        let words: [&[u8]; 3] = [b"a", b"b", b"0.5"];
        let halt = (BZPOPMIN.run)(&mut keyspace.database(0), Args::new(&words), &mut reply);
        let wait = Wait::for_array(&words[..2], Some(NOW_MS + 500));
        assert_eq!(halt, Err(wait.into()));
    }

    #[test]
    fn timeouts_are_read_before_any_key_is() {
        assert_eq!(run("SET z text \n BZPOPMIN z -1"), error("ERR timeout is negative"));
        assert_eq!(
            run("SET z text \n BZMPOP soon 1 z MIN"),
            error("ERR timeout is not a float or out of range")
        );
        // Whatever else is wrong with BZMPOP comes first.
        assert_eq!(run("BZMPOP soon 0 z MIN"), error("ERR numkeys should be greater than 0"));
    }
}
