use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::end;
use crate::{Command, Result};

const FLAGS: Flags = Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST);

pub(crate) const LPUSH: Command = Command {
    spec: CommandSpec::new(
        "lpush",
        Group::List,
        Arity::AtLeast(3),
        "Puts elements in front of a list, one after the other. Creates the key if it doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First).key_flags(&["RW insert"])
    .syntax("key element [element ...]"),
    run: |database, args, reply| push(database, args, reply, End::Front),
};

pub(crate) const RPUSH: Command = Command {
    spec: CommandSpec::new(
        "rpush",
        Group::List,
        Arity::AtLeast(3),
        "Puts elements at the end of a list. Creates the key if it doesn't exist.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .syntax("key element [element ...]"),
    run: |database, args, reply| push(database, args, reply, End::Back),
};

fn push(database: &mut Database, mut args: Args, reply: &mut ReplyWriter, end: End) -> Result {
    let key = args.bytes()?;

    let limits = database.limits();
    let list = database.get_or_insert::<List>(key)?;
    args.rest().iter().for_each(|element| end::push(list, end, element, &limits));
    let length = list.len();
    database.changed(end::push_event(end), key);
    reply.integer(length as i64);
    Ok(())
}

pub(crate) const LPUSHX: Command = Command {
    spec: CommandSpec::new(
        "lpushx",
        Group::List,
        Arity::AtLeast(3),
        "Puts elements in front of a list only when the list exists.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .since("2.2.0")
    .syntax("key element [element ...]"),
    run: |database, args, reply| push_existing(database, args, reply, End::Front),
};

pub(crate) const RPUSHX: Command = Command {
    spec: CommandSpec::new(
        "rpushx",
        Group::List,
        Arity::AtLeast(3),
        "Puts elements at the end of a list only when the list exists.",
    )
    .flags(FLAGS)
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .since("2.2.0")
    .syntax("key element [element ...]"),
    run: |database, args, reply| push_existing(database, args, reply, End::Back),
};

fn push_existing(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    end: End,
) -> Result {
    let key = args.bytes()?;

    let limits = database.limits();
    let Some(list) = database.get_mut::<List>(key)? else {
        reply.integer(0);
        return Ok(());
    };
    args.rest().iter().for_each(|element| end::push(list, end, element, &limits));
    let length = list.len();
    database.changed(end::push_event(end), key);
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn elements_are_pushed_one_after_the_other() {
        assert_eq!(run("RPUSH l a b"), Reply::Integer(2));
        assert_eq!(
            run("RPUSH l a \n LPUSH l b c \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("c"), bulk("b"), bulk("a")])
        );
    }

    #[test]
    fn pushx_does_not_create() {
        assert_eq!(run("LPUSHX l a \n EXISTS l"), Reply::Integer(0));
        assert_eq!(run("RPUSH l a \n RPUSHX l b c"), Reply::Integer(3));
    }

    #[test]
    fn other_types_are_left_alone() {
        let expected = error("WRONGTYPE Operation against a key holding the wrong kind of value");
        assert_eq!(run("SET s x \n LPUSH s a"), expected);
        assert_eq!(run("SET s x \n RPUSHX s a"), expected);
    }
}
