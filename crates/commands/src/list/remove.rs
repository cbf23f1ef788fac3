use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, EventKind, List};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const LREM: Command = Command {
    spec: CommandSpec::new(
        "lrem",
        Group::List,
        Arity::Exactly(4),
        "Removes elements that are equal to a given one from a list.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .syntax("key count element"),
    run: lrem,
};

/// LREM key count element
fn lrem(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let count = args.integer()?;
    let element = args.bytes()?;
    let (from, limit) = match count {
        0 => (End::Front, usize::MAX),
        1.. => (End::Front, count as usize),
        _ => (End::Back, count.unsigned_abs() as usize),
    };

    let removed = match database.get_mut::<List>(key)? {
        Some(list) => list.remove(element, from, limit),
        None => 0,
    };
    if removed > 0 {
        database.changed(EventKind::LREM, key);
    }
    reply.integer(removed as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, events, run};

    #[test]
    fn the_sign_of_the_count_says_where_to_begin() {
        assert_eq!(
            run("RPUSH l a b a c a \n LREM l -2 a \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("a"), bulk("b"), bulk("c")])
        );
        assert_eq!(
            run("RPUSH l a b a c a \n LREM l 2 a \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("b"), bulk("c"), bulk("a")])
        );
        assert_eq!(run("RPUSH l a b a c a \n LREM l 0 a"), Reply::Integer(3));
        assert_eq!(run("RPUSH l a a \n LREM l -9223372036854775808 a"), Reply::Integer(2));
    }

    #[test]
    fn an_emptied_list_is_gone() {
        assert_eq!(run("RPUSH l a a \n LREM l 0 a \n EXISTS l"), Reply::Integer(0));
        assert_eq!(run("LREM nosuch 0 a"), Reply::Integer(0));
    }

    #[test]
    fn nothing_found_is_no_event() {
        assert_eq!(events("RPUSH l a \n LREM l 0 b"), [""; 0]);
        assert_eq!(events("RPUSH l a b \n LREM l 0 b"), ["lrem l"]);
    }
}
