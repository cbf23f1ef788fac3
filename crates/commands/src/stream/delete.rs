use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::id::parse_id;
use crate::{Command, Result};

pub(crate) const XDEL: Command = Command {
    spec: CommandSpec::new(
        "xdel",
        Group::Stream,
        Arity::AtLeast(3),
        "Removes entries from a stream and says how many there were.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("5.0.0")
    .syntax("key id [id ...]"),
    run: xdel,
};

/// XDEL key id [id ...]
fn xdel(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let Some(stream) = database.get_mut::<Stream>(key)? else {
        reply.integer(0);
        return Ok(());
    };
    // All of them, before the first is removed.
    let ids = args.rest().iter().map(|text| parse_id(text)).collect::<Result<Vec<_>>>()?;

    let deleted = ids.into_iter().filter(|id| stream.log.delete(*id)).count();
    if deleted > 0 {
        database.changed(EventKind::XDEL, key);
    }
    reply.integer(deleted as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn only_what_was_there_counts_and_an_emptied_stream_stays() {
        assert_eq!(run("XADD s 1 a 1 \n XDEL s 1 2 1"), Reply::Integer(1));
        assert_eq!(run("XADD s 1 a 1 \n XDEL s 1 \n EXISTS s"), Reply::Integer(1));
    }

    #[test]
    fn nothing_is_deleted_when_an_id_is_wrong() {
        assert_eq!(
            run("XADD s 1 a 1 \n XDEL s 1 x"),
            error("ERR Invalid stream ID specified as stream command argument")
        );
        assert_eq!(run("XADD s 1 a 1 \n XDEL s 1 x \n XLEN s"), Reply::Integer(1));
        assert_eq!(run("XDEL nosuch x"), Reply::Integer(0));
    }
}
