use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const HGETALL: Command = Command {
    spec: CommandSpec::new(
        "hgetall",
        Group::Hash,
        Arity::Exactly(2),
        "Returns all fields of a hash with their values.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key"),
    run: hgetall,
};

/// HGETALL key
fn hgetall(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let Some(hash) = database.get::<Hash>(key)? else {
        reply.map(0);
        return Ok(());
    };
    reply.map(hash.len());
    for (field, value) in hash.iter() {
        reply.bulk(field);
        reply.bulk(value);
    }
    Ok(())
}

pub(crate) const HKEYS: Command = Command {
    spec: CommandSpec::new(
        "hkeys",
        Group::Hash,
        Arity::Exactly(2),
        "Returns all fields of a hash.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key"),
    run: |database, args, reply| write_each(database, args, reply, |(field, _)| field),
};

pub(crate) const HVALS: Command = Command {
    spec: CommandSpec::new(
        "hvals",
        Group::Hash,
        Arity::Exactly(2),
        "Returns all values of a hash.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key"),
    run: |database, args, reply| write_each(database, args, reply, |(_, value)| value),
};

/// HKEYS, HVALS key
fn write_each(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    part: impl for<'h> Fn((&'h [u8], &'h [u8])) -> &'h [u8],
) -> Result {
    let key = args.bytes()?;

    let Some(hash) = database.get::<Hash>(key)? else {
        reply.array(0);
        return Ok(());
    };
    reply.array(hash.len());
    hash.iter().for_each(|pair| reply.bulk(part(pair)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run};

    #[test]
    fn a_small_hash_keeps_its_order() {
        assert_eq!(
            run("HSET h b 1 a 2 \n HGETALL h"),
            Reply::Array(vec![bulk("b"), bulk("1"), bulk("a"), bulk("2")])
        );
        assert_eq!(run("HSET h b 1 a 2 \n HKEYS h"), Reply::Array(vec![bulk("b"), bulk("a")]));
        assert_eq!(run("HSET h b 1 a 2 \n HVALS h"), Reply::Array(vec![bulk("1"), bulk("2")]));
    }

    #[test]
    fn a_hash_that_is_not_there_is_empty() {
        assert_eq!(run("HGETALL nosuch"), Reply::Array(vec![]));
        assert_eq!(run("HKEYS nosuch"), Reply::Array(vec![]));
        assert_eq!(run("HVALS nosuch"), Reply::Array(vec![]));
    }
}
