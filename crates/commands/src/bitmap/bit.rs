use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use super::offset::parse_offset;
use crate::error::fail;
use crate::{Command, Result};

pub(crate) const SETBIT: Command = Command {
    spec: CommandSpec::new(
        "setbit",
        Group::Bitmap,
        Arity::Exactly(4),
        "Sets or clears a bit of a string and returns what it was. Creates the key if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .since("2.2.0")
    .syntax("key offset value"),
    run: setbit,
};

/// SETBIT key offset value
fn setbit(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let offset = parse_offset(args.bytes()?)?;
    let on = match args.bytes()? {
        b"0" => false,
        b"1" => true,
        _ => return fail("ERR bit is not an integer or out of range"),
    };

    let (byte, mask) = place(offset);
    let (was_on, has_grown) = database.modify_bytes(key, |bytes| {
        let has_grown = bytes.len() <= byte;
        if has_grown {
            bytes.resize(byte + 1, 0);
        }
        let was_on = bytes[byte] & mask != 0;
        bytes[byte] = if on { bytes[byte] | mask } else { bytes[byte] & !mask };
        (was_on, has_grown)
    })?;
    if has_grown || was_on != on {
        database.changed(EventKind::SETBIT, key);
    }
    reply.integer(i64::from(was_on));
    Ok(())
}

pub(crate) const GETBIT: Command = Command {
    spec: CommandSpec::new(
        "getbit",
        Group::Bitmap,
        Arity::Exactly(3),
        "Returns a bit of a string by its offset.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("2.2.0")
    .syntax("key offset"),
    run: getbit,
};

/// GETBIT key offset
fn getbit(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let offset = parse_offset(args.bytes()?)?;

    let (byte, mask) = place(offset);
    let on = database.string(key)?.is_some_and(|value| {
        value.with_bytes(|bytes| bytes.get(byte).is_some_and(|byte| byte & mask != 0))
    });
    reply.integer(i64::from(on));
    Ok(())
}

/// The byte in which a bit stands, and the bit alone in it.
fn place(offset: u64) -> (usize, u8) {
    ((offset / 8) as usize, 0x80 >> (offset % 8))
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_highest_bit_of_a_byte_is_its_first() {
        assert_eq!(run("SETBIT k 1 1 \n SETBIT k 7 1 \n GET k"), bulk("A"));
        assert_eq!(run("SET k A \n GETBIT k 7"), Reply::Integer(1));
        assert_eq!(run("SET k A \n SETBIT k 7 0"), Reply::Integer(1));
        assert_eq!(run("SET k 1 \n GETBIT k 99"), Reply::Integer(0));
    }

    #[test]
    fn a_string_grows_to_hold_the_bit_even_if_it_is_off() {
        assert_eq!(run("SETBIT k 23 0 \n STRLEN k"), Reply::Integer(3));
    }

    #[test]
    fn bits_beyond_the_longest_string_are_refused() {
        let offset = error("ERR bit offset is not an integer or out of range");
        assert_eq!(run("SETBIT k 4294967296 1"), offset);
        assert_eq!(run("GETBIT k -1"), offset);
        assert_eq!(run("SETBIT k 0 2"), error("ERR bit is not an integer or out of range"));
    }
}
