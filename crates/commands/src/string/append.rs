use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use crate::string::range::check_length;
use crate::{Command, Result};

pub(crate) const APPEND: Command = Command {
    spec: CommandSpec::new(
        "append",
        Group::String,
        Arity::Exactly(3),
        "Appends a string to the value of a key. Creates the key if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .since("2.0.0")
    .syntax("key value"),
    run: append,
};

/// APPEND key value
fn append(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let suffix = args.bytes()?;

    let old = database.string(key)?.map_or(0, |value| value.len());
    check_length(old + suffix.len())?;
    let length = database.modify_bytes(key, |value| {
        value.extend_from_slice(suffix);
        value.len()
    })?;
    database.changed(EventKind::APPEND, key);
    reply.integer(length as i64);
    Ok(())
}

pub(crate) const STRLEN: Command = Command {
    spec: CommandSpec::new(
        "strlen",
        Group::String,
        Arity::Exactly(2),
        "Returns the length of a string value.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .since("2.2.0")
    .syntax("key"),
    run: strlen,
};

/// STRLEN key
fn strlen(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let length = database.string(key)?.map_or(0, |value| value.len());
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run};

    #[test]
    fn appending_creates_and_grows() {
        assert_eq!(run("APPEND k ab \n APPEND k cd"), Reply::Integer(4));
        assert_eq!(run("SET n 12 \n APPEND n 3 \n GET n"), bulk("123"));
        assert_eq!(run("SET n 12345 \n STRLEN n"), Reply::Integer(5));
    }
}
