use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::id::parse_id;
use crate::{Command, Result};

pub(crate) const XACK: Command = Command {
    spec: CommandSpec::new(
        "xack",
        Group::Stream,
        Arity::AtLeast(4),
        "Acknowledges entries that were delivered to a consumer group, and says how many were pending.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First).key_flags(&["RW update"])
    .since("5.0.0")
    .syntax("key group id [id ...]"),
    run: xack,
};

/// XACK key group id [id ...]
fn xack(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let stream = database.get_mut::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.group_mut(group)) else {
        reply.integer(0);
        return Ok(());
    };
    // All of them, before the first is acknowledged.
    let ids = args.rest().iter().map(|text| parse_id(text)).collect::<Result<Vec<_>>>()?;

    let acknowledged = ids.into_iter().filter(|id| group.ack(*id)).count();
    if acknowledged > 0 {
        database.changed_quietly();
    }
    reply.integer(acknowledged as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use keyspace::{Keyspace, Options};
    use resp::Reply;

    use crate::testing::{error, run, run_one};

    const READ: &str =
        "XADD s 1 a x \n XGROUP CREATE s g 0 \n XREADGROUP GROUP g ann STREAMS s > \n";

    #[test]
    fn only_what_is_pending_is_acknowledged() {
        assert_eq!(run(&format!("{READ} XACK s g 1 2 1")), Reply::Integer(1));
        assert_eq!(run(&format!("{READ} XACK s nosuch 1")), Reply::Integer(0));
        assert_eq!(run("XACK nosuch g x"), Reply::Integer(0));
    }

    #[test]
    fn a_wrong_id_keeps_all_of_them_pending() {
        assert_eq!(
            run(&format!("{READ} XACK s g 1 x")),
            error("ERR Invalid stream ID specified as stream command argument")
        );
        assert_eq!(run(&format!("{READ} XACK s g 1 x \n XACK s g 1")), Reply::Integer(1));
    }

    #[test]
    fn an_acknowledgement_is_a_change_that_no_watcher_hears_of() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        READ.lines().for_each(|line| drop(run_one(&mut keyspace, line.trim())));
        let version = keyspace.watch(0, b"s");
        let before = keyspace.dirty();
        run_one(&mut keyspace, "XACK s g 1");
        assert_eq!(keyspace.dirty(), before + 1);
        assert!(keyspace.is_unchanged(0, b"s", version));
        run_one(&mut keyspace, "XACK s g 1");
        assert_eq!(keyspace.dirty(), before + 1);
    }
}
