use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Set};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const SMEMBERS: Command = Command {
    spec: CommandSpec::new(
        "smembers",
        Group::Set,
        Arity::Exactly(2),
        "Returns all members of a set.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .syntax("key"),
    run: smembers,
};

/// SMEMBERS key
fn smembers(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.get::<Set>(key)? {
        Some(set) => write_members(reply, set),
        None => reply.set(0),
    }
    Ok(())
}

pub(super) fn write_members(reply: &mut ReplyWriter, set: &Set) {
    reply.set(set.len());
    set.iter().for_each(|member| reply.bulk(&member));
}

pub(crate) const SCARD: Command = Command {
    spec: CommandSpec::new(
        "scard",
        Group::Set,
        Arity::Exactly(2),
        "Returns how many members a set has.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .syntax("key"),
    run: scard,
};

/// SCARD key
fn scard(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    reply.integer(database.get::<Set>(key)?.map_or(0, Set::len) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run, run_resp3};

    #[test]
    fn integers_come_in_order() {
        let members = vec![bulk("1"), bulk("2"), bulk("10")];
        assert_eq!(run("SADD s 10 2 1 \n SMEMBERS s"), Reply::Array(members.clone()));
        assert_eq!(run_resp3("SADD s 10 2 1 \n SMEMBERS s"), Reply::Set(members));
    }

    #[test]
    fn a_missing_key_is_an_empty_set() {
        assert_eq!(run("SMEMBERS nosuch"), Reply::Array(vec![]));
        assert_eq!(run("SCARD nosuch"), Reply::Integer(0));
        assert_eq!(run("SADD s a b \n SCARD s"), Reply::Integer(2));
    }
}
