use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Hash};
use resp::ReplyWriter;

use crate::error::wrong_arity;
use crate::{Command, Result};

const FLAGS: Flags = Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST);

pub(crate) const HSET: Command = Command {
    spec: CommandSpec::new(
        "hset",
        Group::Hash,
        Arity::AtLeast(4),
        "Gives fields of a hash their values. Creates the key if it doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW update"])
    .since("2.0.0")
    .syntax("key <field value> ..."),
    run: hset,
};

/// HSET key field value [field value ...]
fn hset(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    let added = set_fields(database, args, "hset")?;
    reply.integer(added);
    Ok(())
}

pub(crate) const HMSET: Command = Command {
    spec: CommandSpec::new(
        "hmset",
        Group::Hash,
        Arity::AtLeast(4),
        "Gives fields of a hash their values, as HSET does, without counting them.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW update"])
    .since("2.0.0")
    .syntax("key <field value> ..."),
    run: hmset,
};

/// HMSET key field value [field value ...]
fn hmset(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    set_fields(database, args, "hmset")?;
    reply.ok();
    Ok(())
}

/// How many fields are new.
fn set_fields(database: &mut Database, mut args: Args, command: &str) -> Result<i64> {
    let key = args.bytes()?;
    let (pairs, odd) = args.rest().as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong_arity(command));
    }

    let limits = database.limits();
    let hash = database.get_or_insert::<Hash>(key)?;
    let mut added = 0;
    for [field, value] in pairs {
        added += i64::from(hash.set(field, value, &limits));
    }
    database.changed(EventKind::HSET, key);
    Ok(added)
}

pub(crate) const HSETNX: Command = Command {
    spec: CommandSpec::new(
        "hsetnx",
        Group::Hash,
        Arity::Exactly(4),
        "Gives a field of a hash its value only when the field doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .since("2.0.0")
    .syntax("key field value"),
    run: hsetnx,
};

/// HSETNX key field value
fn hsetnx(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;
    let value = args.bytes()?;

    let limits = database.limits();
    let hash = database.get_or_insert::<Hash>(key)?;
    let absent = !hash.contains(field);
    if absent {
        hash.set(field, value, &limits);
        database.changed(EventKind::HSET, key);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    #[test]
    fn only_new_fields_count() {
        assert_eq!(run("HSET h a 1 b 2 a 3"), Reply::Integer(2));
        assert_eq!(run("HSET h a 1 \n HSET h a 2 \n HGET h a"), bulk("2"));
        assert_eq!(run("HMSET h a 1 b 2 \n HLEN h"), Reply::Integer(2));
    }

    #[test]
    fn a_field_without_a_value_is_refused_before_the_key_is_looked_at() {
        let expected = error("ERR wrong number of arguments for 'hset' command");
        assert_eq!(run("SET s x \n HSET s a 1 b"), expected);
        assert_eq!(
            run("HMSET h a 1 b"),
            error("ERR wrong number of arguments for 'hmset' command")
        );
        assert_eq!(
            run("SET s x \n HSET s a 1"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
    }

    #[test]
    fn hsetnx_keeps_what_is_there() {
        assert_eq!(run("HSETNX h a 1"), Reply::Integer(1));
        assert_eq!(run("HSET h a 1 \n HSETNX h a 2"), Reply::Integer(0));
        assert_eq!(run("HSET h a 1 \n HSETNX h a 2 \n HGET h a"), bulk("1"));
    }

    #[test]
    fn all_fields_are_one_event() {
        assert_eq!(events("HSET h a 1 b 2"), ["hset h"]);
        assert_eq!(events("HSET h a 1 \n HSETNX h a 2"), [""; 0]);
    }
}
