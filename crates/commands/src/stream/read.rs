use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::StreamId;
use keyspace::{Database, Stream, WrongType};
use resp::ReplyWriter;

use super::entry::{StreamReplies, write_entries};
use super::id::parse_id;
use super::read_option::{ReadOptions, Streams, deadline_ms};
use crate::error::fail;
use crate::{Absence, Command, Error, Result, Wait};

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
    Err(Wait {
        keys: streams.keys_to_await(),
        deadline_ms: deadline_ms(block_ms, now_ms),
        absence: Absence::NullArray,
        retry: resolve_last_ids(database, request, streams)?,
    }
    .into())
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
