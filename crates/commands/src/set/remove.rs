use command_spec::{Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{EventKind, Set};

use crate::Command;
use crate::remove::remove_each;

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
    run: |database, args, reply| remove_each(database, args, reply, EventKind::SREM, Set::remove),
};

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
