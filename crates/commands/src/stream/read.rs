use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::StreamId;
use keyspace::{Database, Stream, WrongType};
use resp::ReplyWriter;

use super::entry::{StreamReplies, write_entries};
use super::id::parse_id;
use super::read_option::{ReadOptions, Streams, deadline_ms};
use crate::error::fail;
use crate::{Command, Error, Result, Wait};

pub(crate) const XREAD: Command = Command {
    spec: CommandSpec::new(
        "xread",
        Group::Stream,
        Arity::AtLeast(4),
        "Returns the entries of streams that follow given ids. Blocks, if asked to, until there are any.",
    )
    .flags(Flags::READONLY.and(Flags::BLOCKING))
    .keys(Keys::AfterStreams { from: 1 })
    .since("5.0.0")
    .syntax("[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]"),
    run: xread,
};

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
fn xread(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let request = args;
    let now_ms = database.now_ms();
    let mut options = ReadOptions::new();
    let streams = loop {
        if options.parse_one(&mut args, now_ms)? {
            continue;
        } else if args.len() > 1 && args.keyword("STREAMS") {
            break Streams::parse(args)?;
        } else if args.len() > 2 && args.keyword("GROUP") {
            return fail(
                "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
            );
        } else if args.keyword("NOACK") {
            return fail(
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
            );
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    };

    let mut replies = StreamReplies::begin(reply);
    for (key, id) in streams.iter() {
        let stream = database.get::<Stream>(key)?;
        let after = match id {
            b"$" => continue,
            b">" => {
                return fail(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                );
            }
            _ => parse_id(id)?,
        };
        let (Some(stream), Some(start)) = (stream, after.next()) else { continue };
        let mut entries = stream.log.range(start, StreamId::MAX).take(options.count).peekable();
        if entries.peek().is_some() {
            replies.begin_stream(reply, key);
            write_entries(reply, entries);
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
    let retry = resolve_last_ids(database, request, streams)?;
    let deadline_ms = deadline_ms(block_ms, now_ms);
    Err(Wait { retry, ..Wait::for_array(streams.keys, deadline_ms) }.into())
}

/// The request with what `$` stands for now, if it is in there: later it would stand for what was waited for.
fn resolve_last_ids(
    database: &mut Database,
    mut request: Args,
    streams: Streams,
) -> std::result::Result<Option<Vec<Vec<u8>>>, WrongType> {
    if !streams.ids.contains(&&b"$"[..]) {
        return Ok(None);
    }
    let words = request.rest();
    let words = &words[..words.len() - streams.ids.len()];
    let mut resolved = vec![b"XREAD".to_vec()];
    resolved.extend(words.iter().map(|word| word.to_vec()));
    for (key, id) in streams.iter() {
        resolved.push(match id {
            b"$" => {
                let stream = database.get::<Stream>(key)?;
                let last_id = stream.map_or(StreamId::MIN, |stream| stream.log.last_id());
                last_id.to_string().into_bytes()
            }
            _ => id.to_vec(),
        });
    }
    Ok(Some(resolved))
}

#[cfg(test)]
mod tests {
    use command_spec::Args;
    use keyspace::{Keyspace, Options};
    use resp::{Protocol, Reply, ReplyWriter};

    use super::XREAD;
    use crate::testing::{NOW_MS, bulk, error, run, run_one};
    use crate::{Halt, Wait};

    #[test]
    fn streams_without_news_are_left_out() {
        let entries = Reply::Array(vec![Reply::Array(vec![
            bulk("2-0"),
            Reply::Array(vec![bulk("a"), bulk("y")]),
        ])]);
        assert_eq!(
            run("XADD s 1 a x \n XADD s 2 a y \n XREAD STREAMS nosuch s 0 1"),
            Reply::Array(vec![Reply::Array(vec![bulk("s"), entries])])
        );
        assert_eq!(run("XADD s 1 a x \n XREAD STREAMS s 1"), Reply::Null);
        assert_eq!(run("XADD s 1 a x \n XREAD STREAMS s $"), Reply::Null);
    }

    #[test]
    fn what_only_a_group_can_have_is_refused() {
        assert_eq!(
            run("XREAD STREAMS s >"),
            error(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
            )
        );
        assert_eq!(
            run("XREAD NOACK STREAMS s 0"),
            error(
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
            )
        );
        assert_eq!(
            run("XREAD STREAMS a b 0"),
            error(
                "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
            )
        );
    }

    fn wait_of(keyspace: &mut Keyspace, request: &str) -> Option<Wait> {
        let words: Vec<&[u8]> = request.split(' ').skip(1).map(str::as_bytes).collect();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        match (XREAD.run)(&mut keyspace.database(0), Args::new(&words), &mut reply) {
            Err(Halt::Wait(wait)) => Some(*wait),
            _ => None,
        }
    }

    #[test]
    fn a_wait_remembers_where_the_stream_ended_when_it_began() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        keyspace.set_now(NOW_MS);
        run_one(&mut keyspace, "XADD s 7-1 a 1");
        let wait = wait_of(&mut keyspace, "XREAD COUNT 1 BLOCK 50 STREAMS s new old $ $ 3")
            .expect("there is nothing to read");
        assert_eq!(wait.keys, [&b"s"[..], b"new", b"old"]);
        assert_eq!(wait.deadline_ms, Some(NOW_MS + 50));
        let retry = wait.retry.expect("the end is named").join(&b' ');
        assert_eq!(
            String::from_utf8_lossy(&retry),
            "XREAD COUNT 1 BLOCK 50 STREAMS s new old 7-1 0-0 3"
        );

        let forever = wait_of(&mut keyspace, "XREAD BLOCK 0 STREAMS s 7-1").expect("nothing new");
        assert_eq!((forever.deadline_ms, forever.retry), (None, None));
        run_one(&mut keyspace, "XADD s 7-2 a 1");
        assert_eq!(wait_of(&mut keyspace, "XREAD BLOCK 0 STREAMS s 7-1"), None);
    }

    #[test]
    fn a_timeout_is_a_number_of_milliseconds_that_the_clock_can_reach() {
        for (timeout, text) in [
            ("x", "ERR timeout is not an integer or out of range"),
            ("-1", "ERR timeout is negative"),
            ("9223372036854775807", "ERR timeout is out of range"),
        ] {
            assert_eq!(run(&format!("XREAD BLOCK {timeout} STREAMS s 0")), error(text));
        }
    }
}
