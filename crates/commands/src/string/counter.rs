use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, StringRef};
use resp::{ReplyWriter, parse_integer};

use crate::error::fail;
use crate::{Command, Error, Halt, Result};

const FLAGS: Flags = Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST);

pub(crate) const INCR: Command = Command {
    spec: CommandSpec::new(
        "incr",
        Group::String,
        Arity::Exactly(2),
        "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .syntax("key"),
    run: |database, mut args, reply| add(database, args.bytes()?, 1, EventKind::INCRBY, reply),
};

pub(crate) const DECR: Command = Command {
    spec: CommandSpec::new(
        "decr",
        Group::String,
        Arity::Exactly(2),
        "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .syntax("key"),
    run: |database, mut args, reply| add(database, args.bytes()?, -1, EventKind::DECRBY, reply),
};

pub(crate) const INCRBY: Command = Command {
    spec: CommandSpec::new(
        "incrby",
        Group::String,
        Arity::Exactly(3),
        "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .syntax("key increment"),
    run: incrby,
};

/// INCRBY key increment
fn incrby(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let increment = args.integer()?;

    add(database, key, increment, EventKind::INCRBY, reply)
}

pub(crate) const DECRBY: Command = Command {
    spec: CommandSpec::new(
        "decrby",
        Group::String,
        Arity::Exactly(3),
        "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .syntax("key decrement"),
    run: decrby,
};

/// DECRBY key decrement
fn decrby(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let decrement = args.integer()?;
    let Some(increment) = decrement.checked_neg() else {
        return fail("ERR decrement would overflow");
    };

    add(database, key, increment, EventKind::DECRBY, reply)
}

fn add(
    database: &mut Database,
    key: &[u8],
    increment: i64,
    event: EventKind,
    reply: &mut ReplyWriter,
) -> Result {
    let value = database.update_int(key, |old| {
        let old = match old {
            None => 0,
            Some(StringRef::Int(value)) => value,
            Some(StringRef::Bytes(text)) => {
                parse_integer(text).ok_or(Error::Argument(command_spec::ArgError::NotInteger))?
            }
        };
        old.checked_add(increment)
            .ok_or_else(|| Halt::from(Error::text("ERR increment or decrement would overflow")))
    })?;
    database.changed(event, key);
    reply.integer(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn counters_begin_at_zero_and_keep_their_ttl() {
        assert_eq!(run("INCR n"), Reply::Integer(1));
        assert_eq!(run("SET n 10 EX 100 \n DECRBY n 3 \n TTL n"), Reply::Integer(100));
    }

    #[test]
    fn what_is_no_integer_or_would_overflow_is_refused_and_kept() {
        assert_eq!(
            run("SET n 1.5 \n INCR n"),
            error("ERR value is not an integer or out of range")
        );
        assert_eq!(
            run("SET n 9223372036854775807 \n INCR n"),
            error("ERR increment or decrement would overflow")
        );
        assert_eq!(run("DECRBY n -9223372036854775808"), error("ERR decrement would overflow"));
    }
}
