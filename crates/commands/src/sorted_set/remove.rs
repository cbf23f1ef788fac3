use command_spec::{Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{EventKind, SortedSet};

use crate::Command;
use crate::remove::remove_each;

pub(crate) const ZREM: Command = Command {
    spec: CommandSpec::new(
        "zrem",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Removes members from a sorted set, and the key with the last of them.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("1.2.0")
    .syntax("key member [member ...]"),
    run: |database, args, reply| {
        remove_each(database, args, reply, EventKind::ZREM, SortedSet::remove)
    },
};

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn only_members_that_were_there_count() {
        assert_eq!(run("ZADD z 1 a 2 b \n ZREM z a nope a"), Reply::Integer(1));
        assert_eq!(run("ZADD z 1 a \n ZREM z a \n EXISTS z"), Reply::Integer(0));
        assert_eq!(run("ZREM nosuch a"), Reply::Integer(0));
    }
}
