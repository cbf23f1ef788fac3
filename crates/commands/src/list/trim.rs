use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, List};
use resp::ReplyWriter;

use super::index::resolve_range;
use crate::{Command, Result};

pub(crate) const LTRIM: Command = Command {
    spec: CommandSpec::new(
        "ltrim",
        Group::List,
        Arity::Exactly(4),
        "Removes what lies outside two indexes from a list.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .syntax("key start stop"),
    run: ltrim,
};

/// LTRIM key start stop
fn ltrim(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let start = args.integer()?;
    let stop = args.integer()?;

    database.update(EventKind::LTRIM, key, |list: &mut List| {
        list.trim(resolve_range(start, stop, list.len()));
    })?;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, events, run};

    #[test]
    fn only_the_range_stays() {
        assert_eq!(
            run("RPUSH l a b c d \n LTRIM l 1 -2 \n LRANGE l 0 -1"),
            Reply::Array(vec![bulk("b"), bulk("c")])
        );
        assert_eq!(run("RPUSH l a b \n LTRIM l 5 9 \n EXISTS l"), Reply::Integer(0));
        assert_eq!(run("LTRIM nosuch 0 1 \n EXISTS nosuch"), Reply::Integer(0));
    }

    #[test]
    fn a_trim_is_an_event_even_if_all_stays() {
        assert_eq!(events("RPUSH l a \n LTRIM l 0 -1"), ["ltrim l"]);
        assert_eq!(events("RPUSH l a \n LTRIM l 1 0"), ["ltrim l", "del l"]);
        assert_eq!(events("LTRIM nosuch 0 1"), [""; 0]);
    }
}
