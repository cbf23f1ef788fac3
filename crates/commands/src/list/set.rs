use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, List};
use resp::ReplyWriter;

use super::index::resolve;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const LSET: Command = Command {
    spec: CommandSpec::new(
        "lset",
        Group::List,
        Arity::Exactly(4),
        "Replaces the element of a list at an index.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .key_flags(&["RW update"])
    .syntax("key index element"),
    run: lset,
};

/// LSET key index element
fn lset(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let limits = database.limits();
    let list = database.get_mut::<List>(key)?.ok_or(Error::NoSuchKey)?;
    let index = args.integer()?;
    let element = args.bytes()?;
    let replaced = resolve(index, list.len()).is_some_and(|at| list.set(at, element, &limits));
    if !replaced {
        return fail("ERR index out of range");
    }
    database.changed(EventKind::LSET, key);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_element_at_the_index_is_another() {
        assert_eq!(
            run("RPUSH l a b \n LSET l -1 c \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("a"), bulk("c")])
        );
    }

    #[test]
    fn there_must_be_a_list_and_an_element() {
        assert_eq!(run("LSET nosuch x a"), error("ERR no such key"));
        assert_eq!(run("RPUSH l a \n LSET l 1 b"), error("ERR index out of range"));
        assert_eq!(run("RPUSH l a \n LSET l -2 b"), error("ERR index out of range"));
    }
}
