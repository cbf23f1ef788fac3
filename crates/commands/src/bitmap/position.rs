use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::span::{Span, Unit};
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const BITPOS: Command = Command {
    spec: CommandSpec::new(
        "bitpos",
        Group::Bitmap,
        Arity::AtLeast(3),
        "Finds the first bit that is set, or clear, in a string or in a part of it.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.7")
    .syntax("key bit [start [end [BYTE|BIT]]]"),
    run: bitpos,
};

/// BITPOS key bit [start [end [BYTE|BIT]]]
fn bitpos(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let wanted = match args.integer()? {
        0 => false,
        1 => true,
        _ => return fail("ERR The bit argument must be 1 or 0."),
    };
    let Some(value) = database.string(key)? else {
        reply.integer(if wanted { -1 } else { 0 });
        return Ok(());
    };
    if args.len() > 3 {
        return Err(Error::Argument(ArgError::Syntax).into());
    }
    let start = if args.is_empty() { 0 } else { args.integer()? };
    let unit = if args.len() == 2 { Unit::parse(args.last()?)? } else { Unit::Byte };
    let end = if args.is_empty() { None } else { Some(args.integer()?) };

    let position = value.with_bytes(|bytes| {
        let span = Span::of(start, end.unwrap_or(-1), unit, bytes)?;
        // Past the end all bits count as clear, unless the caller named the end.
        let beyond = (!wanted && end.is_none()).then_some(bytes.len() * 8);
        find_bit(bytes, span, wanted).or(beyond)
    });
    reply.integer(position.map_or(-1, |position| position as i64));
    Ok(())
}

fn find_bit(bytes: &[u8], span: Span, wanted: bool) -> Option<usize> {
    let (bytes, first_mask, last_mask) = span.bytes(bytes);
    let flip = if wanted { 0 } else { 0xff };
    let last = bytes.len() - 1;
    let masked = |index: usize| {
        let mask = if index == 0 { first_mask } else { 0xff };
        (bytes[index] ^ flip) & mask & if index == last { last_mask } else { 0xff }
    };
    // The ends apart, whole bytes are passed over as fast as they can be compared.
    let inner = || Some(1 + bytes.get(1..last)?.iter().position(|byte| *byte != flip)?);
    let index = if masked(0) != 0 { 0 } else { inner().unwrap_or(last) };
    let found = masked(index);
    (found != 0).then(|| (span.first / 8 + index) * 8 + found.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    fn position(setup: &str, rest: &str) -> Reply {
        run(&format!("SET k \"{setup}\" \n BITPOS k {rest}"))
    }

    #[test]
    fn the_first_bit_of_its_kind_is_found() {
        assert_eq!(position(r"\xff\xf0\x00", "0"), Reply::Integer(12));
        assert_eq!(position(r"\x00\xff\xf0", "1"), Reply::Integer(8));
        assert_eq!(position(r"\x00\xff\xf0", "1 2"), Reply::Integer(16));
        assert_eq!(position(r"\x00\xff\xf0", "1 7 15 BIT"), Reply::Integer(8));
        assert_eq!(position(r"\x00\x00\x00", "1"), Reply::Integer(-1));
        assert_eq!(position(r"\x00\x00\x01\x80", "1 9 -1 BIT"), Reply::Integer(23));
    }

    #[test]
    fn past_an_end_that_was_not_named_all_bits_are_clear() {
        assert_eq!(position(r"\xff\xff", "0"), Reply::Integer(16));
        assert_eq!(position(r"\xff\xff", "0 1"), Reply::Integer(16));
        assert_eq!(position(r"\xff\xff", "0 0 -1"), Reply::Integer(-1));
        assert_eq!(run("BITPOS nosuch 0 x"), Reply::Integer(0));
        assert_eq!(run("BITPOS nosuch 1"), Reply::Integer(-1));
    }

    #[test]
    fn a_bit_is_one_or_zero() {
        assert_eq!(run("BITPOS k 2"), error("ERR The bit argument must be 1 or 0."));
        assert_eq!(position("x", "1 0 x FOO"), error("ERR syntax error"));
    }
}
