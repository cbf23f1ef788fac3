use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const BITOP: Command = Command {
    spec: CommandSpec::new(
        "bitop",
        Group::Bitmap,
        Arity::AtLeast(4),
        "Combines strings bit by bit and stores the result.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 2, last: -1, step: 1 })
    .key_flags(&["OW update", "RO access"])
    .since("2.6.0")
    .syntax("<AND|OR|XOR|NOT> destkey key [key ...]"),
    run: bitop,
};

#[derive(Clone, Copy)]
enum Operation {
    And,
    Or,
    Xor,
}

/// BITOP <AND|OR|XOR|NOT> destkey key [key ...]
fn bitop(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let operation = if args.keyword("AND") {
        Some(Operation::And)
    } else if args.keyword("OR") {
        Some(Operation::Or)
    } else if args.keyword("XOR") {
        Some(Operation::Xor)
    } else if args.keyword("NOT") {
        None
    } else {
        return Err(Error::Argument(ArgError::Syntax).into());
    };
    let destination = args.bytes()?;
    let first = args.bytes()?;
    if operation.is_none() && !args.is_empty() {
        return fail("ERR BITOP NOT must be called with a single source key.");
    }

    let mut result = database.string(first)?.map_or_else(Vec::new, |value| value.to_vec());
    match operation {
        None => result.iter_mut().for_each(|byte| *byte = !*byte),
        Some(operation) => {
            for key in args.rest() {
                match database.string(key)? {
                    Some(value) => value.with_bytes(|bytes| combine(operation, &mut result, bytes)),
                    None => combine(operation, &mut result, b""),
                }
            }
        }
    }
    if !result.is_empty() {
        database.set_string(destination, &result, Expiry::Clear);
        database.changed(EventKind::SET, destination);
    } else {
        database.delete(destination);
    }
    reply.integer(result.len() as i64);
    Ok(())
}

/// The shorter of both counts as filled up with zero bytes.
fn combine(operation: Operation, result: &mut Vec<u8>, bytes: &[u8]) {
    if result.len() < bytes.len() {
        result.resize(bytes.len(), 0);
    }
    let (shared, beyond) = result.split_at_mut(bytes.len());
    let pairs = shared.iter_mut().zip(bytes);
    match operation {
        Operation::And => {
            pairs.for_each(|(left, right)| *left &= right);
            beyond.fill(0);
        }
        Operation::Or => pairs.for_each(|(left, right)| *left |= right),
        Operation::Xor => pairs.for_each(|(left, right)| *left ^= right),
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn shorter_strings_are_filled_up_with_zero_bytes() {
        let combined = |operation: &str| {
            run(&format!("MSET a abc b \"\\x03\" \n BITOP {operation} d a b nosuch \n GET d"))
        };
        assert_eq!(combined("OR"), bulk("cbc"));
        assert_eq!(combined("XOR"), bulk("bbc"));
        assert_eq!(combined("AND"), bulk("\0\0\0"));
        assert_eq!(run("SET a \"\\x9e\" \n BITOP NOT d a \n GET d"), bulk("a"));
    }

    #[test]
    fn nothing_combined_with_nothing_removes_the_destination() {
        assert_eq!(run("SET d x \n BITOP AND d nosuch"), Reply::Integer(0));
        assert_eq!(run("SET d x \n BITOP AND d nosuch \n EXISTS d"), Reply::Integer(0));
    }

    #[test]
    fn only_one_string_can_be_negated() {
        assert_eq!(
            run("BITOP NOT d a b"),
            error("ERR BITOP NOT must be called with a single source key.")
        );
        assert_eq!(run("BITOP NAND d a b"), error("ERR syntax error"));
    }
}
