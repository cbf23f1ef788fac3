use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use crate::{Command, Result};

const FLAGS: Flags = Flags::READONLY.and(Flags::FAST);

pub(crate) const TTL: Command = Command {
    spec: CommandSpec::new(
        "ttl",
        Group::Generic,
        Arity::Exactly(2),
        "Returns the expiration time in seconds of a key.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .syntax("key"),
    run: |database, args, reply| {
        tell(database, args, reply, |at_ms, now_ms| ((at_ms - now_ms).max(0) + 500) / 1000)
    },
};

pub(crate) const PTTL: Command = Command {
    spec: CommandSpec::new(
        "pttl",
        Group::Generic,
        Arity::Exactly(2),
        "Returns the expiration time in milliseconds of a key.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key"),
    run: |database, args, reply| {
        tell(database, args, reply, |at_ms, now_ms| (at_ms - now_ms).max(0))
    },
};

pub(crate) const EXPIRETIME: Command = Command {
    spec: CommandSpec::new(
        "expiretime",
        Group::Generic,
        Arity::Exactly(2),
        "Returns the expiration time of a key as a Unix timestamp.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .since("7.0.0")
    .syntax("key"),
    run: |database, args, reply| tell(database, args, reply, |at_ms, _| (at_ms + 500) / 1000),
};

pub(crate) const PEXPIRETIME: Command = Command {
    spec: CommandSpec::new(
        "pexpiretime",
        Group::Generic,
        Arity::Exactly(2),
        "Returns the expiration time of a key as a Unix milliseconds timestamp.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .since("7.0.0")
    .syntax("key"),
    run: |database, args, reply| tell(database, args, reply, |at_ms, _| at_ms),
};

/// -2: no key; -1: a key without an end.
fn tell(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    express: fn(at_ms: i64, now_ms: i64) -> i64,
) -> Result {
    let key = args.bytes()?;

    reply.integer(match database.expiry(key) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => express(at_ms, database.now_ms()),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{NOW_MS, run};

    #[test]
    fn an_end_is_told_in_every_unit() {
        assert_eq!(run("SET k v PX 1500 \n TTL k"), Reply::Integer(2));
        assert_eq!(run("SET k v PX 1500 \n PTTL k"), Reply::Integer(1500));
        assert_eq!(run("SET k v PX 1500 \n PEXPIRETIME k"), Reply::Integer(NOW_MS + 1500));
        assert_eq!(run("SET k v EX 10 \n EXPIRETIME k"), Reply::Integer(NOW_MS / 1000 + 10));
        assert_eq!(run("TTL nosuch"), Reply::Integer(-2));
        assert_eq!(run("SET k v \n PTTL k"), Reply::Integer(-1));
    }
}
