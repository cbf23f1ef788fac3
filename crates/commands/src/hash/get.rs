use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::ReplyWriter;

use crate::{Command, Result};

const FLAGS: Flags = Flags::READONLY.and(Flags::FAST);

pub(crate) const HGET: Command = Command {
    spec: CommandSpec::new(
        "hget",
        Group::Hash,
        Arity::Exactly(3),
        "Returns the value of a field of a hash.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key field"),
    run: hget,
};

/// HGET key field
fn hget(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;

    let hash = database.get::<Hash>(key)?;
    reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    Ok(())
}

pub(crate) const HMGET: Command = Command {
    spec: CommandSpec::new(
        "hmget",
        Group::Hash,
        Arity::AtLeast(3),
        "Returns the values of several fields of a hash.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key field [field ...]"),
    run: hmget,
};

/// HMGET key field [field ...]
fn hmget(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let fields = args.rest();

    let hash = database.get::<Hash>(key)?;
    reply.array(fields.len());
    for field in fields {
        reply.bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

pub(crate) const HEXISTS: Command = Command {
    spec: CommandSpec::new(
        "hexists",
        Group::Hash,
        Arity::Exactly(3),
        "Tells whether a hash has a field.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("2.0.0")
    .syntax("key field"),
    run: hexists,
};

/// HEXISTS key field
fn hexists(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;

    let exists = database.get::<Hash>(key)?.is_some_and(|hash| hash.contains(field));
    reply.integer(i64::from(exists));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn a_field_that_is_not_there_is_null() {
        assert_eq!(run("HSET h a 1 \n HGET h b"), Reply::Null);
        assert_eq!(run("HGET nosuch a"), Reply::Null);
        assert_eq!(run("HSET h a 1 \n HMGET h a b"), Reply::Array(vec![bulk("1"), Reply::Null]));
        assert_eq!(run("HMGET nosuch a"), Reply::Array(vec![Reply::Null]));
        assert_eq!(run("HSET h a 1 \n HEXISTS h a"), Reply::Integer(1));
        assert_eq!(run("HSET h a 1 \n HEXISTS h 1"), Reply::Integer(0));
    }

    #[test]
    fn unlike_mget_hmget_refuses_other_types() {
        let expected = error("WRONGTYPE Operation against a key holding the wrong kind of value");
        assert_eq!(run("SET s x \n HMGET s a"), expected);
        assert_eq!(run("SET s x \n HGET s a"), expected);
    }
}
