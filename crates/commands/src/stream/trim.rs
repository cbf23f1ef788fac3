use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::trim_option::TrimOptions;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const XTRIM: Command = Command {
    spec: CommandSpec::new(
        "xtrim",
        Group::Stream,
        Arity::AtLeast(4),
        "Removes the oldest entries of a stream, down to a length or up to an id.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .since("5.0.0")
    .syntax("key <MAXLEN|MINID> [=|~] threshold [LIMIT count]"),
    run: xtrim,
};

/// XTRIM key <MAXLEN|MINID> [=|~] threshold [LIMIT count]
fn xtrim(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let mut options = TrimOptions::default();
    while !args.is_empty() {
        if !options.parse_one(&mut args)? {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    let is_trimming = options.is_trimming();
    let trim = match options.finish(database.stream_limits()) {
        Ok(Some(trim)) => trim,
        Err(halt) if is_trimming => return Err(halt),
        _ => return fail("ERR syntax error, XTRIM must be called with a trimming strategy"),
    };

    let trimmed = match database.get_mut::<Stream>(key)? {
        Some(stream) => stream.log.trim(trim.0, trim.1),
        None => 0,
    };
    if trimmed > 0 {
        database.changed(EventKind::XTRIM, key);
    }
    reply.integer(trimmed as i64);
    Ok(())
}
