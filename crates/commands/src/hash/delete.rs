use command_spec::{Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{EventKind, Hash};

use crate::Command;
use crate::remove::remove_each;

pub(crate) const HDEL: Command = Command {
    spec: CommandSpec::new(
        "hdel",
        Group::Hash,
        Arity::AtLeast(3),
        "Removes fields from a hash. Removes the hash with its last field.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("2.0.0")
    .syntax("key field [field ...]"),
    run: |database, args, reply| remove_each(database, args, reply, EventKind::HDEL, Hash::remove),
};

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{events, run};

    #[test]
    fn only_what_was_there_counts() {
        assert_eq!(run("HSET h a 1 b 2 \n HDEL h a nosuch a"), Reply::Integer(1));
        assert_eq!(run("HDEL nosuch a"), Reply::Integer(0));
    }

    #[test]
    fn the_last_field_takes_the_key_along() {
        assert_eq!(run("HSET h a 1 b 2 \n HDEL h a b \n EXISTS h"), Reply::Integer(0));
    }

    #[test]
    fn nothing_removed_is_no_event() {
        assert_eq!(events("HSET h a 1 \n HDEL h b"), [""; 0]);
        assert_eq!(events("HSET h a 1 \n HDEL h a b"), ["hdel h", "del h"]);
    }
}
