use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::ReplyWriter;

use crate::{Command, Result};

const FLAGS: Flags = Flags::READONLY.and(Flags::FAST);

pub(crate) const HLEN: Command = Command {
    spec: CommandSpec::new(
        "hlen",
        Group::Hash,
        Arity::Exactly(2),
        "Returns the number of fields of a hash.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("2.0.0")
    .syntax("key"),
    run: hlen,
};

/// HLEN key
fn hlen(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let fields = database.get::<Hash>(key)?.map_or(0, Hash::len);
    reply.integer(fields as i64);
    Ok(())
}

pub(crate) const HSTRLEN: Command = Command {
    spec: CommandSpec::new(
        "hstrlen",
        Group::Hash,
        Arity::Exactly(3),
        "Returns the length of the value of a field of a hash.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("3.2.0")
    .syntax("key field"),
    run: hstrlen,
};

/// HSTRLEN key field
fn hstrlen(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;

    let value = database.get::<Hash>(key)?.and_then(|hash| hash.get(field));
    reply.integer(value.map_or(0, <[u8]>::len) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn what_is_not_there_has_no_length() {
        assert_eq!(run("HSET h a 123 b 4 \n HLEN h"), Reply::Integer(2));
        assert_eq!(run("HSET h a 123 b 4 \n HSTRLEN h a"), Reply::Integer(3));
        assert_eq!(run("HSET h a 123 b 4 \n HSTRLEN h c"), Reply::Integer(0));
        assert_eq!(run("HLEN nosuch"), Reply::Integer(0));
    }
}
