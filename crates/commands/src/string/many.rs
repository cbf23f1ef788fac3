use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use resp::ReplyWriter;

use crate::error::wrong_arity;
use crate::reply::write_string;
use crate::{Command, Result};

pub(crate) const MGET: Command = Command {
    spec: CommandSpec::new(
        "mget",
        Group::String,
        Arity::AtLeast(2),
        "Atomically returns the string values of one or more keys.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::ALL)
    .syntax("key [key ...]"),
    run: mget,
};

/// MGET key [key ...]
fn mget(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let keys = args.rest();

    database.prefetch(keys);
    reply.array(keys.len());
    for key in keys {
        match database.string(key) {
            Ok(Some(value)) => write_string(reply, &value),
            // A key of another type is as good as absent here.
            Ok(None) | Err(_) => reply.null(),
        }
    }
    Ok(())
}

pub(crate) const MSET: Command = Command {
    spec: CommandSpec::new(
        "mset",
        Group::String,
        Arity::AtLeast(3),
        "Atomically creates or modifies the string values of one or more keys.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 1, last: -1, step: 2 })
    .key_flags(&["OW update"])
    .since("1.0.1")
    .syntax("<key value> ..."),
    run: mset,
};

/// MSET key value [key value ...]
fn mset(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let pairs = parse_pairs(&mut args, "mset")?;

    set_all(database, pairs);
    reply.ok();
    Ok(())
}

pub(crate) const MSETNX: Command = Command {
    spec: CommandSpec::new(
        "msetnx",
        Group::String,
        Arity::AtLeast(3),
        "Atomically modifies the string values of one or more keys only when all keys don't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 1, last: -1, step: 2 })
    .key_flags(&["OW insert"])
    .since("1.0.1")
    .syntax("<key value> ..."),
    run: msetnx,
};

/// MSETNX key value [key value ...]
fn msetnx(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let pairs = parse_pairs(&mut args, "msetnx")?;

    let absent = !pairs.iter().any(|[key, _]| database.contains(key));
    if absent {
        set_all(database, pairs);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

fn parse_pairs<'a>(args: &mut Args<'a>, command: &str) -> Result<&'a [[&'a [u8]; 2]]> {
    let (pairs, odd) = args.rest().as_chunks::<2>();
    if odd.is_empty() {
        return Ok(pairs);
    }
    Err(wrong_arity(command))
}

fn set_all(database: &mut Database, pairs: &[[&[u8]; 2]]) {
    for [key, value] in pairs {
        database.set_string(key, value, Expiry::Clear);
        database.changed(EventKind::SET, key);
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn many_keys_are_set_and_read_at_once() {
        assert_eq!(
            run("MSET a 1 b 2 \n MGET a nosuch b"),
            Reply::Array(vec![bulk("1"), Reply::Null, bulk("2")])
        );
        assert_eq!(run("MSET a 1 b"), error("ERR wrong number of arguments for 'mset' command"));
    }

    #[test]
    fn msetnx_writes_all_or_nothing() {
        assert_eq!(run("SET b 1 \n MSETNX a 1 b 2"), Reply::Integer(0));
        assert_eq!(run("SET b 1 \n MSETNX a 1 b 2 \n EXISTS a"), Reply::Integer(0));
    }
}
