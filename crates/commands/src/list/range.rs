use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::index::resolve_range;
use crate::{Command, Result};

pub(crate) const LRANGE: Command = Command {
    spec: CommandSpec::new(
        "lrange",
        Group::List,
        Arity::Exactly(4),
        "Returns the elements of a list between two indexes.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .syntax("key start stop"),
    run: lrange,
};

/// LRANGE key start stop
fn lrange(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let start = args.integer()?;
    let stop = args.integer()?;

    let Some(list) = database.get::<List>(key)? else {
        reply.array(0);
        return Ok(());
    };
    let elements = list.range(resolve_range(start, stop, list.len()));
    reply.array(elements.len());
    elements.for_each(|element| reply.bulk(element));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn both_ends_of_a_range_are_included() {
        assert_eq!(run("RPUSH l a b c \n LRANGE l 1 -1"), Reply::Array(vec![bulk("b"), bulk("c")]));
        assert_eq!(run("RPUSH l a b c \n LRANGE l 2 1"), Reply::Array(vec![]));
        assert_eq!(run("LRANGE nosuch 0 -1"), Reply::Array(vec![]));
        assert_eq!(run("LRANGE l 0 x"), error("ERR value is not an integer or out of range"));
    }
}
