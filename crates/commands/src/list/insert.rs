use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Limits, List};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const LINSERT: Command = Command {
    spec: CommandSpec::new(
        "linsert",
        Group::List,
        Arity::Exactly(5),
        "Puts an element before or after another in a list.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .key_flags(&["RW insert"])
    .since("2.2.0")
    .syntax("key <BEFORE|AFTER> pivot element"),
    run: linsert,
};

/// LINSERT key BEFORE | AFTER pivot element
fn linsert(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let insert: fn(&mut List, &[u8], &[u8], &Limits) -> bool = if args.keyword("BEFORE") {
        List::insert_before
    } else if args.keyword("AFTER") {
        List::insert_after
    } else {
        return Err(ArgError::Syntax.into());
    };
    let pivot = args.bytes()?;
    let element = args.bytes()?;

    let limits = database.limits();
    let Some(list) = database.get_mut::<List>(key)? else {
        reply.integer(0);
        return Ok(());
    };
    if !insert(list, pivot, element, &limits) {
        reply.integer(-1);
        return Ok(());
    }
    let length = list.len();
    database.changed(EventKind::LINSERT, key);
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_first_pivot_counts() {
        assert_eq!(
            run("RPUSH l a b a \n LINSERT l AFTER a x \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("a"), bulk("x"), bulk("b"), bulk("a")])
        );
        assert_eq!(run("RPUSH l a \n LINSERT l before a x \n LINDEX l 0"), bulk("x"));
    }

    #[test]
    fn no_pivot_and_no_list_are_told_apart() {
        assert_eq!(run("RPUSH l a \n LINSERT l BEFORE b x"), Reply::Integer(-1));
        assert_eq!(run("LINSERT nosuch BEFORE b x"), Reply::Integer(0));
        assert_eq!(run("LINSERT nosuch AT b x"), error("ERR syntax error"));
    }
}
