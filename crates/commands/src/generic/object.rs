use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{AccessPolicy, Database, StringRef, ValueRef};
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Command, Result};

const KEY: Keys = Keys::Range { first: 2, last: 2, step: 1 };

pub(crate) const ENCODING: Command = Command {
    spec: CommandSpec::new(
        "object|encoding",
        Group::Generic,
        Arity::Exactly(3),
        "Returns the internal encoding of a Redis object.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .key_flags(&["RO"])
    .since("2.2.3")
    .syntax("key"),
    run: encoding,
};

/// OBJECT ENCODING key
fn encoding(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.value(key) {
        None => reply.null(),
        Some(ValueRef::String(StringRef::Int(_))) => reply.text("int"),
        // Redis embeds strings of up to 44 bytes in their object; clients and tests know the name.
        Some(ValueRef::String(StringRef::Bytes(bytes))) => {
            reply.text(if bytes.len() <= 44 { "embstr" } else { "raw" })
        }
        Some(ValueRef::Object(object)) => reply.text(object.encoding()),
    }
    Ok(())
}

pub(crate) const REFCOUNT: Command = Command {
    spec: CommandSpec::new(
        "object|refcount",
        Group::Generic,
        Arity::Exactly(3),
        "Returns the reference count of a value of a key.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .key_flags(&["RO"])
    .since("2.2.3")
    .syntax("key"),
    run: refcount,
};

/// OBJECT REFCOUNT key: values are never shared here.
fn refcount(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    if database.contains(key) {
        reply.integer(1)
    } else {
        reply.null()
    }
    Ok(())
}

pub(crate) const IDLETIME: Command = Command {
    spec: CommandSpec::new(
        "object|idletime",
        Group::Generic,
        Arity::Exactly(3),
        "Returns the time since the last access to a Redis object.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .key_flags(&["RO"])
    .since("2.2.3")
    .syntax("key"),
    run: idletime,
};

/// OBJECT IDLETIME key
fn idletime(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.idle_seconds(key) {
        Some(_) if database.access_policy() == AccessPolicy::Lfu => {
            return fail(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
                 between policies at runtime LRU and LFU data will take some time to adjust.",
            );
        }
        Some(seconds) => reply.integer(seconds as i64),
        None => reply.null(),
    }
    Ok(())
}

pub(crate) const FREQ: Command = Command {
    spec: CommandSpec::new(
        "object|freq",
        Group::Generic,
        Arity::Exactly(3),
        "Returns the logarithmic access frequency counter of a Redis object.",
    )
    .flags(Flags::READONLY)
    .keys(KEY)
    .key_flags(&["RO"])
    .since("4.0.0")
    .syntax("key"),
    run: freq,
};

/// OBJECT FREQ key: only under an LFU policy there is one.
fn freq(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.frequency(key) {
        Some(_) if database.access_policy() == AccessPolicy::Lru => {
            return fail(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust.",
            );
        }
        Some(frequency) => reply.integer(i64::from(frequency)),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run};

    #[test]
    fn strings_are_told_apart_by_content_and_length() {
        assert_eq!(run("SET k 123 \n OBJECT ENCODING k"), bulk("int"));
        assert_eq!(run("SET k abc \n OBJECT ENCODING k"), bulk("embstr"));
        assert_eq!(run(&format!("SET k {} \n OBJECT ENCODING k", "x".repeat(45))), bulk("raw"));
        assert_eq!(run("OBJECT ENCODING nosuch"), Reply::Null);
    }
}
