use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use crate::{Command, Error, Result};

pub(crate) const RENAME: Command = Command {
    spec: CommandSpec::new(
        "rename",
        Group::Generic,
        Arity::Exactly(3),
        "Renames a key and overwrites the destination.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .key_flags(&["RW access delete", "OW update"])
    .syntax("key newkey"),
    run: rename,
};

/// RENAME key newkey
fn rename(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let from = args.bytes()?;
    let to = args.bytes()?;

    if !database.contains(from) {
        return Err(Error::NoSuchKey.into());
    }
    move_value(database, from, to);
    reply.ok();
    Ok(())
}

pub(crate) const RENAMENX: Command = Command {
    spec: CommandSpec::new(
        "renamenx",
        Group::Generic,
        Arity::Exactly(3),
        "Renames a key only when the target key name doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .key_flags(&["RW access delete", "OW insert"])
    .syntax("key newkey"),
    run: renamenx,
};

/// RENAMENX key newkey
fn renamenx(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let from = args.bytes()?;
    let to = args.bytes()?;

    if !database.contains(from) {
        return Err(Error::NoSuchKey.into());
    }
    let free = !database.contains(to);
    if free {
        move_value(database, from, to);
    }
    reply.integer(i64::from(free));
    Ok(())
}

fn move_value(database: &mut Database, from: &[u8], to: &[u8]) {
    if from == to {
        return;
    }
    database.rename(from, to);
    database.changed(EventKind::RENAME_FROM, from);
    database.changed(EventKind::RENAME_TO, to);
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_value_moves_with_its_end() {
        assert_eq!(run("SET a 1 EX 10 \n RENAME a b \n TTL b"), Reply::Integer(10));
        assert_eq!(run("MSET a 1 b 2 \n RENAME a b \n GET b"), bulk("1"));
        assert_eq!(run("SET a 1 \n RENAME a a \n GET a"), bulk("1"));
    }

    #[test]
    fn what_is_not_there_cannot_be_renamed() {
        assert_eq!(run("RENAME a b"), error("ERR no such key"));
        assert_eq!(run("RENAMENX a b"), error("ERR no such key"));
        assert_eq!(run("MSET a 1 b 2 \n RENAMENX a b"), Reply::Integer(0));
    }
}
