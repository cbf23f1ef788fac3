use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, List};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const LLEN: Command = Command {
    spec: CommandSpec::new(
        "llen",
        Group::List,
        Arity::Exactly(2),
        "Returns the number of elements of a list.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RO"])
    .syntax("key"),
    run: llen,
};

/// LLEN key
fn llen(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let length = database.get::<List>(key)?.map_or(0, List::len);
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::run;

    #[test]
    fn a_list_that_is_not_there_has_no_elements() {
        assert_eq!(run("RPUSH l a b \n LLEN l"), Reply::Integer(2));
        assert_eq!(run("LLEN nosuch"), Reply::Integer(0));
    }
}
