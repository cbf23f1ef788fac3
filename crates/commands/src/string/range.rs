use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Command, Error, Result};

/// The longest string (`proto-max-bulk-len`'s default).
const LENGTH_MAX: usize = 512 << 20;

pub(super) fn check_length(length: usize) -> Result {
    if length > LENGTH_MAX {
        return fail("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    }
    Ok(())
}

pub(crate) const GETRANGE: Command = Command {
    spec: CommandSpec::new(
        "getrange",
        Group::String,
        Arity::Exactly(4),
        "Returns a substring of the string stored at a key.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.4.0")
    .syntax("key start end"),
    run: getrange,
};

pub(crate) const SUBSTR: Command = Command {
    spec: CommandSpec::new(
        "substr",
        Group::String,
        Arity::Exactly(4),
        "Returns a substring from a string value.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .syntax("key start end"),
    run: getrange,
};

/// GETRANGE key start end
fn getrange(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let start = args.integer()?;
    let end = args.integer()?;

    match database.string(key)? {
        Some(value) => value.with_bytes(|bytes| reply.bulk(slice(bytes, start, end))),
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The bytes from `start` to `end`, both included, negative ones counted from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let length = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let from_end = |index: i64| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(length - 1));
    if length == 0 || start > end {
        return b"";
    }
    &bytes[start as usize..=end as usize]
}

pub(crate) const SETRANGE: Command = Command {
    spec: CommandSpec::new(
        "setrange",
        Group::String,
        Arity::Exactly(4),
        "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First).key_flags(&["RW update"])
    .since("2.2.0")
    .syntax("key offset value"),
    run: setrange,
};

/// SETRANGE key offset value
fn setrange(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let offset = args.integer()?;
    let part = args.bytes()?;
    let Ok(offset) = usize::try_from(offset) else {
        return Err(Error::OutOfRange("offset").into());
    };

    let old = database.string(key)?.map_or(0, |value| value.len());
    if part.is_empty() {
        reply.integer(old as i64);
        return Ok(());
    }
    check_length(offset.saturating_add(part.len()))?;
    let length = database.modify_bytes(key, |value| {
        if value.len() < offset + part.len() {
            value.resize(offset + part.len(), 0);
        }
        value[offset..offset + part.len()].copy_from_slice(part);
        value.len()
    })?;
    database.changed(EventKind::SETRANGE, key);
    reply.integer(length as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use super::slice;
    use crate::testing::{bulk, error, run};

    #[test]
    fn ranges_are_cut_to_the_string() {
        for (start, end, expected) in [
            (0, 3, "This"),
            (-3, -1, "ing"),
            (0, -1, "This is a string"),
            (10, 100, "string"),
            (5, 3, ""),
            (-1, -5, ""),
        ] {
            assert_eq!(slice(b"This is a string", start, end), expected.as_bytes());
        }
        assert_eq!(slice(b"", 0, -1), b"");
        assert_eq!(slice(b"abc", i64::MIN, i64::MAX), b"abc");
    }

    #[test]
    fn setrange_pads_with_zero_bytes_and_refuses_what_is_too_far() {
        assert_eq!(run("SETRANGE k 3 x \n GET k"), bulk("\0\0\0x"));
        assert_eq!(run("SETRANGE k 5 \"\" \n EXISTS k"), Reply::Integer(0));
        assert_eq!(run("SETRANGE k -1 x"), error("ERR offset is out of range"));
        assert_eq!(
            run("SETRANGE k 536870912 x"),
            error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        );
    }
}
