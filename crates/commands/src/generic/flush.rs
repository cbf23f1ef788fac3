use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group};
use keyspace::Database;
use resp::ReplyWriter;

use crate::{Command, Error, Result};

pub(crate) const DBSIZE: Command = Command {
    spec: CommandSpec::new(
        "dbsize",
        Group::Server,
        Arity::Exactly(1),
        "Returns the number of keys in the database.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .categories(&["@keyspace"]),
    run: dbsize,
};

/// DBSIZE
fn dbsize(database: &mut Database, _args: Args, reply: &mut ReplyWriter) -> Result {
    reply.integer(database.len() as i64);
    Ok(())
}

pub(crate) const FLUSHDB: Command = Command {
    spec: CommandSpec::new(
        "flushdb",
        Group::Server,
        Arity::AtLeast(1),
        "Removes all keys from the current database.",
    )
    .flags(Flags::WRITE)
    .categories(&["@keyspace", "@dangerous"])
    .syntax("[ASYNC|SYNC]"),
    run: flushdb,
};

/// FLUSHDB [ASYNC | SYNC]
fn flushdb(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    parse_flush_mode(&mut args)?;

    database.flush();
    reply.ok();
    Ok(())
}

/// Both modes are as good as asynchronous: the table's memory is handed to whoever drops it.
fn parse_flush_mode(args: &mut Args) -> Result {
    match args.len() {
        0 => Ok(()),
        1 if args.keyword("ASYNC") || args.keyword("SYNC") => Ok(()),
        _ => Err(Error::Argument(ArgError::Syntax).into()),
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn flushing_leaves_nothing() {
        assert_eq!(run("MSET a 1 b 2 \n DBSIZE"), Reply::Integer(2));
        assert_eq!(run("MSET a 1 b 2 \n FLUSHDB ASYNC \n DBSIZE"), Reply::Integer(0));
        assert_eq!(run("FLUSHDB NOW"), error("ERR syntax error"));
    }
}
