use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const COPY: Command = Command {
    spec: CommandSpec::new(
        "copy",
        Group::Generic,
        Arity::AtLeast(3),
        "Copies the value of a key to a new key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .key_flags(&["RO access", "OW update"])
    .since("6.2.0")
    .syntax("source destination [DB db] [REPLACE]"),
    run: copy,
};

/// COPY source destination [DB destination-db] [REPLACE]
fn copy(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let from = args.bytes()?;
    let to = args.bytes()?;
    let (mut target, mut replace) = (database.index(), false);
    while !args.is_empty() {
        if args.keyword("REPLACE") {
            replace = true;
        } else if args.keyword("DB") {
            target = database_index(database, args.small_integer()?)?;
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    if target == database.index() && from == to {
        return fail("ERR source and destination objects are the same");
    }

    let possible = database.contains(from) && (replace || !database.other(target).contains(to));
    if possible {
        database.other(target).remove(to);
        database.copy_to(from, target, to);
        database.other(target).changed(EventKind::COPY_TO, to);
    }
    reply.integer(i64::from(possible));
    Ok(())
}

fn database_index(database: &Database, index: i32) -> Result<usize> {
    usize::try_from(index)
        .ok()
        .filter(|index| *index < database.databases())
        .ok_or_else(|| Error::text("ERR DB index is out of range").into())
}

pub(crate) const MOVE: Command = Command {
    spec: CommandSpec::new(
        "move",
        Group::Generic,
        Arity::Exactly(3),
        "Moves a key to another database.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .syntax("key db"),
    run: move_key,
};

/// MOVE key db
fn move_key(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let target = args.small_integer()?;
    let target = database_index(database, target)?;
    if target == database.index() {
        return fail("ERR source and destination objects are the same");
    }

    let moved = database.contains(key) && !database.other(target).contains(key);
    if moved {
        database.move_to(key, target);
        database.changed(EventKind::MOVE_FROM, key);
        database.other(target).changed(EventKind::MOVE_TO, key);
    }
    reply.integer(i64::from(moved));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn a_copy_is_its_own_key() {
        assert_eq!(run("SET a 1 EX 9 \n COPY a b \n SET a 2 \n GET b"), bulk("1"));
        assert_eq!(run("SET a 1 EX 9 \n COPY a b \n TTL b"), Reply::Integer(9));
        assert_eq!(run("MSET a 1 b 2 \n COPY a b"), Reply::Integer(0));
        assert_eq!(run("MSET a 1 b 2 \n COPY a b REPLACE \n GET b"), bulk("1"));
        assert_eq!(
            run("SET a 1 \n COPY a a"),
            error("ERR source and destination objects are the same")
        );
        assert_eq!(run("SET a 1 \n COPY a a DB 99"), error("ERR DB index is out of range"));
    }

    #[test]
    fn a_moved_key_is_gone_here() {
        assert_eq!(run("SET a 1 \n MOVE a 1 \n EXISTS a"), Reply::Integer(0));
        assert_eq!(run("MOVE a 1"), Reply::Integer(0));
        assert_eq!(
            run("SET a 1 \n MOVE a 0"),
            error("ERR source and destination objects are the same")
        );
    }
}
