use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Set, Type};
use resp::ReplyWriter;

use crate::{Command, Error, Result};

pub(crate) const SMOVE: Command = Command {
    spec: CommandSpec::new(
        "smove",
        Group::Set,
        Arity::Exactly(4),
        "Takes a member from one set and puts it into another.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .key_flags(&["RW access delete", "RW insert"])
    .syntax("source destination member"),
    run: smove,
};

/// SMOVE source destination member
fn smove(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let source = args.bytes()?;
    let destination = args.bytes()?;
    let member = args.bytes()?;

    reply.integer(i64::from(transfer(database, source, destination, member)?));
    Ok(())
}

fn transfer(
    database: &mut Database,
    source: &[u8],
    destination: &[u8],
    member: &[u8],
) -> Result<bool> {
    let Some(set) = database.get::<Set>(source)? else { return Ok(false) };
    let is_member = set.contains(member);
    // The destination must be able to take the member before the source gives it away.
    if database.type_of(destination).is_some_and(|found| found != Type::Set) {
        return Err(Error::WrongType.into());
    }
    if !is_member || source == destination {
        return Ok(is_member);
    }

    database.update(EventKind::SREM, source, |set: &mut Set| set.remove(member))?;
    let limits = database.limits();
    if database.get_or_insert::<Set>(destination)?.add(member, &limits) {
        database.changed(EventKind::SADD, destination);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    #[test]
    fn a_moved_member_is_in_the_other_set_only() {
        assert_eq!(run("SADD a x \n SMOVE a b x"), Reply::Integer(1));
        assert_eq!(run("SADD a x \n SMOVE a b x \n EXISTS a"), Reply::Integer(0));
        assert_eq!(run("SADD a x \n SMOVE a b x \n SMEMBERS b"), Reply::Array(vec![bulk("x")]));
        assert_eq!(run("SADD a x \n SADD b x \n SMOVE a b x"), Reply::Integer(1));
    }

    #[test]
    fn nothing_moves_that_is_not_there_or_has_nowhere_to_go() {
        assert_eq!(run("SADD a x \n SMOVE a b nope"), Reply::Integer(0));
        assert_eq!(run("SADD a x \n SMOVE a a x"), Reply::Integer(1));
        assert_eq!(run("SET b text \n SMOVE nosuch b x"), Reply::Integer(0));
        assert_eq!(
            run("SADD a x \n SET b text \n SMOVE a b x"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
        assert_eq!(run("SADD a x \n SET b text \n SMOVE a b x \n SCARD a"), Reply::Integer(1));
    }

    #[test]
    fn both_sets_tell_what_happened_to_them() {
        assert_eq!(events("SADD a x \n SMOVE a b x"), ["srem a", "del a", "sadd b"]);
        assert_eq!(events("SADD a x y \n SADD b x \n SMOVE a b x"), ["srem a"]);
        assert!(events("SADD a x \n SMOVE a a x").is_empty());
    }
}
