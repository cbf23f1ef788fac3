use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const DEL: Command = Command {
    spec: CommandSpec::new("del", Group::Generic, Arity::AtLeast(2), "Deletes one or more keys.")
        .flags(Flags::WRITE)
        .keys(Keys::ALL)
        .key_flags(&["RM delete"])
        .syntax("key [key ...]"),
    run: |database, args, reply| {
        delete(database, args, reply, |database, key| database.delete(key))
    },
};

pub(crate) const UNLINK: Command = Command {
    spec: CommandSpec::new(
        "unlink",
        Group::Generic,
        Arity::AtLeast(2),
        "Asynchronously deletes one or more keys.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::ALL)
    .key_flags(&["RM delete"])
    .since("4.0.0")
    .syntax("key [key ...]"),
    run: |database, args, reply| {
        delete(database, args, reply, |database, key| database.delete_lazily(key))
    },
};

fn delete(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    delete: fn(&mut Database<'_>, &[u8]) -> bool,
) -> Result {
    let mut deleted = 0;
    for key in args.rest() {
        deleted += i64::from(delete(database, key));
    }
    reply.integer(deleted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn only_what_was_there_counts() {
        assert_eq!(run("MSET a 1 b 2 \n DEL a b nosuch a"), Reply::Integer(2));
        assert_eq!(run("MSET a 1 b 2 \n UNLINK a \n EXISTS a b"), Reply::Integer(1));
    }
}
