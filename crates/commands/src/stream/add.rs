use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::stream::{IdError, IdSpec, StreamId};
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::id::{invalid_id, now_ms, write_id};
use super::trim_option::TrimOptions;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const XADD: Command = Command {
    spec: CommandSpec::new(
        "xadd",
        Group::Stream,
        Arity::AtLeast(5),
        "Appends an entry to a stream. Creates the key if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW update"])
    .since("5.0.0")
    .syntax("key [NOMKSTREAM] [<MAXLEN|MINID> [=|~] threshold [LIMIT count]] id <field value> ..."),
    run: xadd,
};

/// XADD key [NOMKSTREAM] [<MAXLEN|MINID> [=|~] threshold [LIMIT count]] <*|id> field value [field value ...]
fn xadd(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let mut options = TrimOptions::default();
    let mut may_create = true;
    loop {
        if args.keyword("NOMKSTREAM") {
            may_create = false;
        } else if !options.parse_one(&mut args)? {
            break;
        }
    }
    let id = match args.bytes() {
        Ok(text) => Some(IdSpec::parse(text).ok_or_else(invalid_id)?),
        Err(_) => None,
    };
    let limits = database.stream_limits();
    let trim = options.finish(limits)?;
    let fields = args.rest();
    let Some(id) = id.filter(|_| !fields.is_empty() && fields.len().is_multiple_of(2)) else {
        return fail("ERR wrong number of arguments for 'xadd' command");
    };
    // Before the key is looked at: a refused entry leaves no empty stream behind.
    if id == IdSpec::Explicit(StreamId::MIN) {
        return Err(refused(IdError::Zero).into());
    }

    let now_ms = now_ms(database);
    let stream = if may_create {
        database.get_or_insert::<Stream>(key)?
    } else {
        match database.get_mut::<Stream>(key)? {
            Some(stream) => stream,
            None => {
                reply.null();
                return Ok(());
            }
        }
    };
    let pairs = fields.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let id = stream.log.append(id, now_ms, limits, pairs).map_err(refused)?;
    let trimmed = trim.map_or(0, |(trim, precision)| stream.log.trim(trim, precision));
    database.changed(EventKind::XADD, key);
    if trimmed > 0 {
        database.changed(EventKind::XTRIM, key);
    }
    write_id(reply, id);
    Ok(())
}

fn refused(error: IdError) -> Error {
    Error::text(match error {
        IdError::Zero => "ERR The ID specified in XADD must be greater than 0-0",
        IdError::Exhausted => {
            "ERR The stream has exhausted the last possible ID, unable to add more items"
        }
        IdError::NotGreater => {
            "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        }
    })
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_clock_names_an_entry_unless_the_caller_does() {
        assert_eq!(run("XADD s * name value"), bulk("1700000000000-0"));
        assert_eq!(run("XADD s * a 1 \n XADD s * a 2"), bulk("1700000000000-1"));
        assert_eq!(run("XADD s 5-3 a 1 \n XADD s 5-* a 2"), bulk("5-4"));
        assert_eq!(run("XADD s 7 a 1"), bulk("7-0"));
    }

    #[test]
    fn a_refused_entry_leaves_no_stream_behind() {
        assert_eq!(
            run("XADD s 0-0 a 1"),
            error("ERR The ID specified in XADD must be greater than 0-0")
        );
        assert_eq!(run("XADD s 0-0 a 1 \n EXISTS s"), Reply::Integer(0));
        assert_eq!(run("XADD s NOMKSTREAM * a 1 \n EXISTS s"), Reply::Integer(0));
        assert_eq!(
            run("XADD s 5 a 1 \n XADD s 5 a 1"),
            error(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            )
        );
    }

    #[test]
    fn fields_come_in_pairs() {
        let arity = error("ERR wrong number of arguments for 'xadd' command");
        assert_eq!(run("XADD s * a 1 b"), arity);
        assert_eq!(run("XADD s MAXLEN 5 1-0 a"), arity);
        assert_eq!(run("XADD s NOMKSTREAM NOMKSTREAM NOMKSTREAM"), arity);
    }

    #[test]
    fn adding_may_trim() {
        assert_eq!(run("XADD s 1 a 1 \n XADD s MAXLEN 1 2 a 2 \n XLEN s"), Reply::Integer(1));
        assert_eq!(run("XADD s MAXLEN 0 2 a 2 \n XLEN s"), Reply::Integer(0));
        assert_eq!(run("XADD s MAXLEN 0 2 a 2 \n EXISTS s"), Reply::Integer(1));
    }
}
