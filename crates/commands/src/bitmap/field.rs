use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use super::field_type::{FieldType, Overflow};
use super::offset::parse_field_offset;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const BITFIELD: Command = Command {
    spec: CommandSpec::new(
        "bitfield",
        Group::Bitmap,
        Arity::AtLeast(2),
        "Reads, sets and increments integers of any width within a string.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .since("3.2.0")
    .syntax(
        "key [GET <encoding offset>|[OVERFLOW <WRAP|SAT|FAIL>] <SET <encoding offset value>|INCRBY <encoding offset increment>>] ...",
    ),
    run: bitfield,
};

pub(crate) const BITFIELD_RO: Command = Command {
    spec: CommandSpec::new(
        "bitfield_ro",
        Group::Bitmap,
        Arity::AtLeast(2),
        "Reads integers of any width within a string.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .since("6.0.0")
    .syntax("key [GET <encoding offset>] ..."),
    run: bitfield_ro,
};

#[derive(Clone, Copy)]
struct Step {
    action: Action,
    field: FieldType,
    offset: u64,
}

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

/// BITFIELD key [GET encoding offset|[OVERFLOW <WRAP|SAT|FAIL>] <SET encoding offset value|INCRBY encoding offset n>] ...
fn bitfield(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let steps = parse_steps(args)?;
    let Some(length) = length_to_write(&steps) else {
        return read(database, key, &steps, reply);
    };

    let has_changed = database.modify_bytes(key, |bytes| {
        let mut has_changed = bytes.len() < length;
        if has_changed {
            bytes.resize(length, 0);
        }
        reply.array(steps.len());
        for step in &steps {
            has_changed |= run_step(bytes, *step, reply);
        }
        has_changed
    })?;
    if has_changed {
        database.changed(EventKind::SETBIT, key);
    }
    Ok(())
}

/// BITFIELD_RO key [GET encoding offset] ...
fn bitfield_ro(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let steps = parse_steps(args)?;
    if length_to_write(&steps).is_some() {
        return fail("ERR BITFIELD_RO only supports the GET subcommand");
    }

    read(database, key, &steps, reply)
}

fn parse_steps(mut args: Args) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    while !args.is_empty() {
        if args.len() > 1 && args.keyword("OVERFLOW") {
            overflow = parse_overflow(&mut args)?;
        } else if args.len() > 2 && args.keyword("GET") {
            let (field, offset) = parse_place(&mut args)?;
            steps.push(Step { action: Action::Get, field, offset });
        } else if args.len() > 3 && args.keyword("SET") {
            let (field, offset) = parse_place(&mut args)?;
            steps.push(Step { action: Action::Set(args.integer()?, overflow), field, offset });
        } else if args.len() > 3 && args.keyword("INCRBY") {
            let (field, offset) = parse_place(&mut args)?;
            steps.push(Step { action: Action::Add(args.integer()?, overflow), field, offset });
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    Ok(steps)
}

fn parse_overflow(args: &mut Args) -> Result<Overflow> {
    if args.keyword("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.keyword("SAT") {
        Ok(Overflow::Saturate)
    } else if args.keyword("FAIL") {
        Ok(Overflow::Fail)
    } else {
        fail("ERR Invalid OVERFLOW type specified")
    }
}

fn parse_place(args: &mut Args) -> Result<(FieldType, u64)> {
    let field = FieldType::parse(args.bytes()?)?;
    let offset = parse_field_offset(args.bytes()?, field.width())?;
    Ok((field, offset))
}

/// How long the string must be for what is written to it, even if the writing fails; none if nothing is.
fn length_to_write(steps: &[Step]) -> Option<usize> {
    let writes = steps.iter().filter(|step| !matches!(step.action, Action::Get));
    let last_bit = writes.map(|step| step.offset + u64::from(step.field.width()) - 1).max()?;
    Some((last_bit / 8 + 1) as usize)
}

fn read(database: &mut Database, key: &[u8], steps: &[Step], reply: &mut ReplyWriter) -> Result {
    let value = database.string(key)?;
    let mut write = |bytes: &[u8]| {
        reply.array(steps.len());
        steps.iter().for_each(|step| reply.integer(step.field.read(bytes, step.offset)));
    };
    match value {
        Some(value) => value.with_bytes(write),
        None => write(b""),
    }
    Ok(())
}

/// Whether it changed anything.
fn run_step(bytes: &mut [u8], step: Step, reply: &mut ReplyWriter) -> bool {
    let Step { action, field, offset } = step;
    let old = field.read(bytes, offset);
    let new = match action {
        Action::Get => Some(old),
        // To an unsigned field a negative number is a large one.
        Action::Set(value, overflow) => match field {
            FieldType::Unsigned(_) => field.fit(i128::from(value.cast_unsigned()), overflow),
            FieldType::Signed(_) => field.fit(i128::from(value), overflow),
        },
        Action::Add(increment, overflow) => {
            field.fit(i128::from(old) + i128::from(increment), overflow)
        }
    };
    let Some(new) = new else {
        reply.null();
        return false;
    };
    reply.integer(if matches!(action, Action::Add(..)) { new } else { old });
    if new != old {
        field.write(bytes, offset, new);
    }
    new != old
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    fn integers<const N: usize>(values: [i64; N]) -> Reply {
        Reply::Array(values.into_iter().map(Reply::Integer).collect())
    }

    #[test]
    fn steps_run_in_their_order() {
        assert_eq!(
            run("BITFIELD k SET u8 #1 65 INCRBY u8 #1 1 GET u8 8 GET i4 #9"),
            integers([0, 66, 66, 0])
        );
        assert_eq!(run("BITFIELD k SET u8 #1 65 \n GET k"), bulk("\0A"));
    }

    #[test]
    fn overflow_is_handled_as_was_said_last() {
        assert_eq!(
            run("BITFIELD k SET u2 0 3 INCRBY u2 0 1 OVERFLOW SAT SET u2 0 -1 INCRBY u2 0 5"),
            integers([0, 0, 0, 3])
        );
        assert_eq!(
            run("BITFIELD k OVERFLOW FAIL SET i8 0 127 INCRBY i8 0 1"),
            Reply::Array(vec![Reply::Integer(0), Reply::Null])
        );
    }

    #[test]
    fn reading_alone_makes_no_key() {
        assert_eq!(run("BITFIELD k GET u8 100 \n EXISTS k"), Reply::Integer(0));
        assert_eq!(run("SET k a \n BITFIELD_RO k GET u8 0"), integers([97]));
        assert_eq!(
            run("BITFIELD_RO k SET u8 0 1"),
            error("ERR BITFIELD_RO only supports the GET subcommand")
        );
    }

    #[test]
    fn steps_that_make_no_sense_are_refused() {
        for (steps, text) in [
            ("GET u8", "ERR syntax error"),
            ("OVERFLOW", "ERR syntax error"),
            ("OVERFLOW X", "ERR Invalid OVERFLOW type specified"),
            ("GET u8 #x", "ERR bit offset is not an integer or out of range"),
            ("GET u8 -1", "ERR bit offset is not an integer or out of range"),
            ("SET u8 0 x", "ERR value is not an integer or out of range"),
        ] {
            assert_eq!(run(&format!("BITFIELD k {steps}")), error(text), "{steps}");
        }
    }
}
