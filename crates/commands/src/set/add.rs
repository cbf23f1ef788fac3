use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Set};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const SADD: Command = Command {
    spec: CommandSpec::new(
        "sadd",
        Group::Set,
        Arity::AtLeast(3),
        "Adds members to a set, which is created if the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .syntax("key member [member ...]"),
    run: sadd,
};

/// SADD key member [member ...]
fn sadd(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let members = args.rest();

    let limits = database.limits();
    let set = database.get_or_insert::<Set>(key)?;
    let added = members.iter().filter(|member| set.add(member, &limits)).count();
    if added > 0 {
        database.changed(EventKind::SADD, key);
    }
    reply.integer(added as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, events, run};

    #[test]
    fn only_new_members_count() {
        assert_eq!(run("SADD s a b a"), Reply::Integer(2));
        assert_eq!(run("SADD s a b \n SADD s b c"), Reply::Integer(1));
    }

    #[test]
    fn another_type_is_left_alone() {
        assert_eq!(
            run("SET s text \n SADD s a"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
    }

    #[test]
    fn only_a_change_is_an_event() {
        assert_eq!(events("SADD s a b"), ["sadd s"]);
        assert!(events("SADD s a b \n SADD s b").is_empty());
    }
}
