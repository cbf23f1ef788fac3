use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Set};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const SISMEMBER: Command = Command {
    spec: CommandSpec::new(
        "sismember",
        Group::Set,
        Arity::Exactly(3),
        "Tells whether a set has a member.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .syntax("key member"),
    run: sismember,
};

/// SISMEMBER key member
fn sismember(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let member = args.bytes()?;

    let set = database.get::<Set>(key)?;
    reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

pub(crate) const SMISMEMBER: Command = Command {
    spec: CommandSpec::new(
        "smismember",
        Group::Set,
        Arity::AtLeast(3),
        "Tells of each of several members whether a set has it.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("6.2.0")
    .syntax("key member [member ...]"),
    run: smismember,
};

/// SMISMEMBER key member [member ...]
fn smismember(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let members = args.rest();

    let set = database.get::<Set>(key)?;
    reply.array(members.len());
    for member in members {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn a_missing_key_has_no_members() {
        assert_eq!(run("SADD s a \n SISMEMBER s a"), Reply::Integer(1));
        assert_eq!(run("SISMEMBER nosuch a"), Reply::Integer(0));
        assert_eq!(
            run("SADD s 1 b \n SMISMEMBER s b 2 1"),
            Reply::Array(vec![Reply::Integer(1), Reply::Integer(0), Reply::Integer(1)])
        );
        assert_eq!(run("SMISMEMBER nosuch a"), Reply::Array(vec![Reply::Integer(0)]));
    }
}
