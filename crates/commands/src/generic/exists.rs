use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const EXISTS: Command = Command {
    spec: CommandSpec::new(
        "exists",
        Group::Generic,
        Arity::AtLeast(2),
        "Determines whether one or more keys exist.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::ALL)
    .key_flags(&["RO"])
    .syntax("key [key ...]"),
    run: exists,
};

/// EXISTS key [key ...]: a key named twice counts twice.
fn exists(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let count = args.rest().iter().filter(|key| database.exists(key)).count();
    reply.integer(count as i64);
    Ok(())
}

pub(crate) const TOUCH: Command = Command {
    spec: CommandSpec::new(
        "touch",
        Group::Generic,
        Arity::AtLeast(2),
        "Returns the number of existing keys out of those specified after updating the time they were last accessed.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::ALL).key_flags(&["RO"])
    .since("3.2.1")
    .syntax("key [key ...]"),
    run: touch,
};

/// TOUCH key [key ...]
fn touch(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let count = args.rest().iter().filter(|key| database.touch(key)).count();
    reply.integer(count as i64);
    Ok(())
}

pub(crate) const TYPE: Command = Command {
    spec: CommandSpec::new(
        "type",
        Group::Generic,
        Arity::Exactly(2),
        "Determines the type of value stored at a key.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .syntax("key"),
    run: type_of,
};

/// TYPE key
fn type_of(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    reply.simple(database.type_of(key).map_or("none", keyspace::Type::name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn keys_count_as_often_as_they_are_named() {
        assert_eq!(run("SET a 1 \n EXISTS a a nosuch"), Reply::Integer(2));
        assert_eq!(run("SET a 1 \n TOUCH a nosuch"), Reply::Integer(1));
    }

    #[test]
    fn a_missing_key_is_of_type_none() {
        assert_eq!(run("TYPE nosuch"), Reply::Simple(b"none".to_vec()));
        assert_eq!(run("SET a 1 \n TYPE a"), Reply::Simple(b"string".to_vec()));
    }
}
