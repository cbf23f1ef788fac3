use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use super::group::{KEY, existing};
use super::id::now_ms;
use super::no_group::no_group_of_key;
use crate::{Command, Result};

pub(crate) const CREATECONSUMER: Command = Command {
    spec: CommandSpec::new(
        "xgroup|createconsumer",
        Group::Stream,
        Arity::Exactly(5),
        "Creates a consumer in a consumer group.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(KEY)
    .key_flags(&["RW insert"])
    .since("6.2.0")
    .syntax("key group consumer"),
    run: create_consumer,
};

/// XGROUP CREATECONSUMER key group consumer
fn create_consumer(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let consumer = args.bytes()?;

    let now_ms = now_ms(database);
    let stream = existing(database, key)?;
    let group = stream.group_mut(group).ok_or_else(|| no_group_of_key(key, group))?;
    let created = group.create_consumer(consumer, now_ms);
    if created {
        announce_consumer(database, key);
    }
    reply.integer(i64::from(created));
    Ok(())
}

/// A group has a consumer more: because somebody asked for it, or because it reads or claims for the first time. To
/// those who watch or await the stream that is nothing.
pub(super) fn announce_consumer(database: &mut Database, key: &[u8]) {
    database.changed_quietly();
    database.notify(EventKind::XGROUP_CREATECONSUMER, key);
}

pub(crate) const DELCONSUMER: Command = Command {
    spec: CommandSpec::new(
        "xgroup|delconsumer",
        Group::Stream,
        Arity::Exactly(5),
        "Deletes a consumer from a consumer group, with all that it has pending.",
    )
    .flags(Flags::WRITE)
    .keys(KEY)
    .key_flags(&["RW delete"])
    .since("5.0.0")
    .syntax("key group consumer"),
    run: delete_consumer,
};

/// XGROUP DELCONSUMER key group consumer
fn delete_consumer(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let group = args.bytes()?;
    let consumer = args.bytes()?;

    let stream = existing(database, key)?;
    let group = stream.group_mut(group).ok_or_else(|| no_group_of_key(key, group))?;
    let pending = group.delete_consumer(consumer);
    if pending.is_some() {
        database.changed(EventKind::XGROUP_DELCONSUMER, key);
    }
    reply.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn a_consumer_is_created_once() {
        let script = "XGROUP CREATE s g 0 MKSTREAM \n XGROUP CREATECONSUMER s g ann";
        assert_eq!(run(script), Reply::Integer(1));
        assert_eq!(run(&format!("{script} \n XGROUP CREATECONSUMER s g ann")), Reply::Integer(0));
        assert_eq!(
            run(&format!("{script} \n XGROUP CREATECONSUMER s nosuch ann")),
            error("NOGROUP No such consumer group 'nosuch' for key name 's'")
        );
    }

    #[test]
    fn a_deleted_consumer_takes_what_it_had_pending_with_it() {
        let script = "XADD s 1 a x \n XGROUP CREATE s g 0 \n XREADGROUP GROUP g ann STREAMS s > \n
            XGROUP DELCONSUMER s g ann";
        assert_eq!(run(script), Reply::Integer(1));
        assert_eq!(run(&format!("{script} \n XACK s g 1")), Reply::Integer(0));
        assert_eq!(run(&format!("{script} \n XGROUP DELCONSUMER s g ann")), Reply::Integer(0));
    }
}
