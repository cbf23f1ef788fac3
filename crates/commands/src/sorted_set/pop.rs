use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, SortedSet};
use resp::ReplyWriter;

use super::members::{Direction, Shown, Walk, write_flat, write_members};
use crate::count_option::pop_count;
use crate::{Command, Error, Result};

pub(crate) const ZPOPMIN: Command = Command {
    spec: CommandSpec::new(
        "zpopmin",
        Group::SortedSet,
        Arity::AtLeast(2),
        "Removes the members with the lowest scores from a sorted set and returns them.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .since("5.0.0")
    .syntax("key [count]"),
    run: |database, args, reply| pop_from_end(database, args, reply, Direction::Ascending),
};

pub(crate) const ZPOPMAX: Command = Command {
    spec: CommandSpec::new(
        "zpopmax",
        Group::SortedSet,
        Arity::AtLeast(2),
        "Removes the members with the highest scores from a sorted set and returns them.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .since("5.0.0")
    .syntax("key [count]"),
    run: |database, args, reply| pop_from_end(database, args, reply, Direction::Descending),
};

/// ZPOPMIN, ZPOPMAX key [count]
fn pop_from_end(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    direction: Direction,
) -> Result {
    let key = args.bytes()?;
    let popped = match args.rest() {
        // A single member is no pair in RESP3 either.
        [] => pop(database, key, direction, 1, |members| write_flat(reply, members))?,
        [count] => {
            let count = pop_count(count)?;
            pop(database, key, direction, count, |members| {
                write_members(reply, members, Shown::MemberAndScore)
            })?
        }
        _ => return Err(Error::Argument(ArgError::Syntax).into()),
    };
    if !popped {
        reply.array(0);
    }
    Ok(())
}

/// Lends up to `count` members to be written, and removes them. `false` if the key is missing.
pub(super) fn pop(
    database: &mut Database,
    key: &[u8],
    direction: Direction,
    count: usize,
    write: impl FnOnce(Walk<'_>),
) -> Result<bool> {
    let Some(set) = database.get_mut::<SortedSet>(key)? else { return Ok(false) };
    let len = set.len();
    let count = count.min(len);
    let (ranks, event) = match direction {
        Direction::Ascending => (0..count, EventKind::ZPOPMIN),
        Direction::Descending => (len - count..len, EventKind::ZPOPMAX),
    };
    write(Walk::new(set, ranks.clone(), direction));
    if count > 0 {
        set.remove_ranks(ranks);
        database.changed(event, key);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run, run_resp3};

    #[test]
    fn members_are_popped_from_either_end() {
        const SET: &str = "ZADD z 1 a 2 b 3 c \n ";
        assert_eq!(run(&format!("{SET} ZPOPMIN z")), Reply::Array(vec![bulk("a"), bulk("1")]));
        assert_eq!(
            run(&format!("{SET} ZPOPMAX z 2")),
            Reply::Array(vec![bulk("c"), bulk("3"), bulk("b"), bulk("2")])
        );
        assert_eq!(run(&format!("{SET} ZPOPMAX z 2 \n ZCARD z")), Reply::Integer(1));
        assert_eq!(run(&format!("{SET} ZPOPMIN z 9 \n EXISTS z")), Reply::Integer(0));
    }

    #[test]
    fn in_resp3_a_count_makes_pairs() {
        let pair = vec![bulk("a"), Reply::Double(1.0)];
        assert_eq!(run_resp3("ZADD z 1 a \n ZPOPMIN z"), Reply::Array(pair.clone()));
        assert_eq!(run_resp3("ZADD z 1 a \n ZPOPMIN z 1"), Reply::Array(vec![Reply::Array(pair)]));
    }

    #[test]
    fn nothing_is_popped_from_nothing() {
        assert_eq!(run("ZPOPMIN nosuch"), Reply::Array(vec![]));
        assert_eq!(run("ZADD z 1 a \n ZPOPMIN z 0"), Reply::Array(vec![]));
        assert_eq!(run("ZPOPMIN z -1"), error("ERR value is out of range, must be positive"));
        assert_eq!(run("ZPOPMIN z 1 2"), error("ERR syntax error"));
    }

    #[test]
    fn a_pop_is_one_event_however_many_it_takes() {
        assert_eq!(events("ZADD z 1 a 2 b 3 c \n ZPOPMIN z 2"), ["zpopmin z"]);
        assert_eq!(events("ZADD z 1 a \n ZMPOP 1 z MAX"), ["zpopmax z", "del z"]);
        assert!(events("ZADD z 1 a \n ZPOPMIN z 0").is_empty());
    }
}
