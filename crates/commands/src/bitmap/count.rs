use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::span::{Span, Unit};
use crate::{Command, Error, Result};

pub(crate) const BITCOUNT: Command = Command {
    spec: CommandSpec::new(
        "bitcount",
        Group::Bitmap,
        Arity::AtLeast(2),
        "Counts the bits that are set in a string or in a part of it.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key [start end [BYTE|BIT]]"),
    run: bitcount,
};

/// BITCOUNT key [start end [BYTE|BIT]]
fn bitcount(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let Some(value) = database.string(key)? else {
        reply.integer(0);
        return Ok(());
    };
    let (start, end, unit) = match args.len() {
        0 => (0, -1, Unit::Byte),
        2 => (args.integer()?, args.integer()?, Unit::Byte),
        3 => (args.integer()?, args.integer()?, Unit::parse(args.bytes()?)?),
        _ => return Err(Error::Argument(ArgError::Syntax).into()),
    };

    let is_reversed = start < 0 && end < 0 && start > end;
    let count = value.with_bytes(|bytes| {
        let span = Span::of(start, end, unit, bytes).filter(|_| !is_reversed);
        span.map_or(0, |span| count_bits(bytes, span))
    });
    reply.integer(count as i64);
    Ok(())
}

fn count_bits(bytes: &[u8], span: Span) -> u64 {
    let (bytes, first_mask, last_mask) = span.bytes(bytes);
    let ones = |bits: u8| u64::from(bits.count_ones());
    let (words, rest) = bytes.as_chunks::<8>();
    let all: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let outside = ones(bytes[0] & !first_mask) + ones(bytes[bytes.len() - 1] & !last_mask);
    all + rest.iter().map(|byte| ones(*byte)).sum::<u64>() - outside
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn bits_are_counted_by_bytes_or_by_bits() {
        let count = |range: &str| run(&format!("SET k foobar-longer \n BITCOUNT k {range}"));
        assert_eq!(count(""), Reply::Integer(58));
        assert_eq!(count("0 0"), Reply::Integer(4));
        assert_eq!(count("1 1 BYTE"), Reply::Integer(6));
        assert_eq!(count("5 30 bit"), Reply::Integer(17));
        assert_eq!(count("1 1 BIT"), Reply::Integer(1));
        assert_eq!(count("5 2"), Reply::Integer(0));
        assert_eq!(count("-1 -5"), Reply::Integer(0));
        assert_eq!(count("0"), error("ERR syntax error"));
        assert_eq!(run("BITCOUNT nosuch x"), Reply::Integer(0));
    }
}
