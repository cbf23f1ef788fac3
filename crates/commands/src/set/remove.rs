use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Set};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const SREM: Command = Command {
    spec: CommandSpec::new(
        "srem",
        Group::Set,
        Arity::AtLeast(3),
        "Removes members from a set, and the key with the last of them.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .syntax("key member [member ...]"),
    run: srem,
};

/// SREM key member [member ...]
fn srem(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let members = args.rest();

    let removed = match database.get_mut::<Set>(key)? {
        Some(set) => members.iter().filter(|member| set.remove(member)).count(),
        None => 0,
    };
    if removed > 0 {
        database.changed(EventKind::SREM, key);
    }
    reply.integer(removed as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn only_members_that_were_there_count() {
        assert_eq!(run("SADD s a b c \n SREM s a nope c a"), Reply::Integer(2));
        assert_eq!(run("SREM nosuch a"), Reply::Integer(0));
    }

    #[test]
    fn the_key_goes_with_its_last_member() {
        assert_eq!(run("SADD s a b \n SREM s a b \n EXISTS s"), Reply::Integer(0));
    }
}
