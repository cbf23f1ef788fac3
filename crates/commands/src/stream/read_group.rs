use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::{Acknowledge, StreamId};
use keyspace::{Database, Stream};
use resp::ReplyWriter;

use super::consumer::announce_consumer;
use super::entry::{StreamReplies, write_deleted, write_entries, write_entry};
use super::id::{now_ms, parse_id};
use super::no_group::no_key_or_group_to_read;
use super::read_option::{ReadOptions, Streams, deadline_ms};
use crate::error::fail;
use crate::{Command, Error, Result, Wait};

pub(crate) const XREADGROUP: Command = Command {
    spec: CommandSpec::new(
        "xreadgroup",
        Group::Stream,
        Arity::AtLeast(7),
        "Delivers entries of streams to a consumer of a group: new ones, or those it has not acknowledged.",
    )
    .flags(Flags::WRITE.and(Flags::BLOCKING))
    .keys(Keys::AfterStreams { from: 4 }).key_flags(&["RO access"])
    .since("5.0.0")
    .syntax(
        "GROUP <group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    ),
    run: xreadgroup,
};

/// What a consumer asks a stream for.
#[derive(Clone, Copy)]
enum Wanted {
    /// `>`
    New,
    PendingAfter(StreamId),
}

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
fn xreadgroup(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut options = ReadOptions::new();
    let mut member = None;
    let mut acknowledge = Acknowledge::Later;
    let streams = loop {
        if options.parse_one(&mut args, database.now_ms())? {
            continue;
        } else if args.len() > 1 && args.keyword("STREAMS") {
            break Streams::parse(args)?;
        } else if args.len() > 2 && args.keyword("GROUP") {
            member = Some((args.bytes()?, args.bytes()?));
        } else if args.keyword("NOACK") {
            acknowledge = Acknowledge::Never;
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    };
    let Some((group, consumer)) = member else {
        return fail("ERR Missing GROUP option for XREADGROUP");
    };
    // All of them, before the first one delivers anything.
    let wanted = streams
        .iter()
        .map(|(key, id)| parse_wanted(database, group, key, id))
        .collect::<Result<Vec<_>>>()?;

    let now_ms = now_ms(database);
    let mut replies = StreamReplies::begin(reply);
    for (key, wanted) in streams.keys.iter().zip(wanted) {
        let served_before = replies.count;
        let Some(stream) = database.get_mut::<Stream>(key)? else { continue };
        let Some(reading) = stream.reading(group) else { continue };
        let known = reading.knows(consumer);
        match wanted {
            Wanted::New => {
                let entries = reading.read_new(consumer, options.count, acknowledge, now_ms);
                let mut entries = entries.peekable();
                if entries.peek().is_some() {
                    replies.begin_stream(reply, key);
                    write_entries(reply, entries);
                }
            }
            Wanted::PendingAfter(id) => {
                let history = reading.read_history(consumer, id, options.count, now_ms);
                replies.begin_stream(reply, key);
                reply.array(history.len());
                for (id, entry) in history {
                    match entry {
                        Some(entry) => write_entry(reply, entry),
                        None => write_deleted(reply, id),
                    }
                }
            }
        }
        if !known {
            announce_consumer(database, key);
        }
        if replies.count > served_before {
            database.changed_quietly();
        }
    }
    if replies.count > 0 {
        replies.end(reply);
        return Ok(());
    }
    let Some(block_ms) = options.block_ms else {
        reply.null_array();
        return Ok(());
    };
    let deadline_ms = deadline_ms(block_ms, database.now_ms());
    Err(Wait::for_array(streams.keys, deadline_ms).into())
}

fn parse_wanted(database: &mut Database, group: &[u8], key: &[u8], id: &[u8]) -> Result<Wanted> {
    let stream = database.get::<Stream>(key)?;
    if stream.and_then(|stream| stream.group(group)).is_none() {
        return Err(no_key_or_group_to_read(key, group));
    }
    match id {
        b"$" => fail(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
             by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty \
             result set.",
        ),
        b">" => Ok(Wanted::New),
        _ => Ok(Wanted::PendingAfter(parse_id(id)?)),
    }
}

#[cfg(test)]
mod tests {
    use command_spec::Args;
    use keyspace::{EventKind, Interest, Keyspace, Options};
    use resp::{Protocol, Reply, ReplyWriter};

    use super::XREADGROUP;
    use crate::Halt;
    use crate::testing::{bulk, error, run, run_one};

    const TWO: &str = "XADD s 1 a x \n XADD s 2 a y \n XGROUP CREATE s g 0 \n";

    fn read(script: &str) -> Reply {
        run(&format!("{TWO} {script}"))
    }

    fn entry(id: &str, value: &str) -> Reply {
        Reply::Array(vec![bulk(id), Reply::Array(vec![bulk("a"), bulk(value)])])
    }

    fn of_s(entries: Vec<Reply>) -> Reply {
        Reply::Array(vec![Reply::Array(vec![bulk("s"), Reply::Array(entries)])])
    }

    #[test]
    fn each_consumer_gets_other_entries_and_may_look_at_its_own_again() {
        let first = "XREADGROUP GROUP g ann COUNT 1 STREAMS s >";
        assert_eq!(read(first), of_s(vec![entry("1-0", "x")]));
        let second = format!("{first} \n XREADGROUP GROUP g bob STREAMS s >");
        assert_eq!(read(&second), of_s(vec![entry("2-0", "y")]));
        let history = format!("{second} \n XREADGROUP GROUP g ann STREAMS s 0");
        assert_eq!(read(&history), of_s(vec![entry("1-0", "x")]));
        assert_eq!(read(&format!("{second} \n XREADGROUP GROUP g ann STREAMS s >")), Reply::Null);
    }

    #[test]
    fn a_deleted_entry_of_the_history_is_told_by_its_id() {
        assert_eq!(
            read(
                "XREADGROUP GROUP g ann STREAMS s > \n XDEL s 1 \n XREADGROUP GROUP g ann STREAMS s 0"
            ),
            of_s(vec![Reply::Array(vec![bulk("1-0"), Reply::Null]), entry("2-0", "y")])
        );
    }

    #[test]
    fn nothing_is_delivered_when_one_of_the_groups_is_missing() {
        assert_eq!(
            read("XREADGROUP GROUP g ann STREAMS s nosuch > >"),
            error(
                "NOGROUP No such key 'nosuch' or consumer group 'g' in XREADGROUP with GROUP option"
            )
        );
        assert_eq!(
            read(
                "XREADGROUP GROUP g ann STREAMS s nosuch > > \n XREADGROUP GROUP g ann STREAMS s 0"
            ),
            of_s(vec![])
        );
        assert_eq!(
            read("XREADGROUP COUNT 1 COUNT 1 STREAMS s >"),
            error("ERR Missing GROUP option for XREADGROUP")
        );
    }

    #[test]
    fn without_acknowledgement_nothing_stays_pending() {
        assert_eq!(
            read("XREADGROUP GROUP g ann NOACK STREAMS s > \n XREADGROUP GROUP g ann STREAMS s 0"),
            of_s(vec![])
        );
    }

    #[test]
    fn who_waits_is_a_consumer_already_and_is_announced_once() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        run_one(&mut keyspace, "XGROUP CREATE s g $ MKSTREAM");
        keyspace.set_interest(Interest::ALL);
        for _ in 0..2 {
            let words: [&[u8]; 8] =
                [b"GROUP", b"g", b"ann", b"BLOCK", b"0", b"STREAMS", b"s", b">"];
            let mut out = Vec::new();
            let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
            let result = (XREADGROUP.run)(&mut keyspace.database(0), Args::new(&words), &mut reply);
            let Err(Halt::Wait(wait)) = result else { panic!("there is nothing to read") };
            assert_eq!((wait.keys, wait.retry), (vec![b"s".to_vec()], None));
        }
        let mut events = Vec::new();
        keyspace.take_events(&mut events);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, EventKind::XGROUP_CREATECONSUMER);
    }
}
