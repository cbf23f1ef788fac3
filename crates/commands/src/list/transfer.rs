use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::end::{parse_end, pop_event, push, push_event};
use crate::timeout::parse_timeout;
use crate::{Absence, Command, Result, Wait};

const KEYS: Keys = Keys::Range { first: 1, last: 2, step: 1 };
const BLOCKING: Flags =
    Flags::WRITE.and(Flags::DENY_OOM).and(Flags::NO_SCRIPT).and(Flags::BLOCKING);

pub(crate) const LMOVE: Command = Command {
    spec: CommandSpec::new(
        "lmove",
        Group::List,
        Arity::Exactly(5),
        "Moves an element from an end of one list to an end of another, and returns it.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(KEYS)
    .key_flags(&["RW access delete", "RW insert"])
    .since("6.2.0")
    .syntax("source destination <LEFT|RIGHT> <LEFT|RIGHT>"),
    run: lmove,
};

/// LMOVE source destination LEFT | RIGHT LEFT | RIGHT
fn lmove(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let transfer = Transfer::parse(&mut args)?;

    if !transfer.run(database, reply)? {
        reply.null();
    }
    Ok(())
}

pub(crate) const RPOPLPUSH: Command = Command {
    spec: CommandSpec::new(
        "rpoplpush",
        Group::List,
        Arity::Exactly(3),
        "Moves the last element of one list to the front of another, and returns it.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(KEYS)
    .key_flags(&["RW access delete", "RW insert"])
    .since("1.2.0")
    .syntax("source destination"),
    run: rpoplpush,
};

/// RPOPLPUSH source destination
fn rpoplpush(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let transfer = Transfer::parse_back_to_front(&mut args)?;

    if !transfer.run(database, reply)? {
        reply.null();
    }
    Ok(())
}

pub(crate) const BLMOVE: Command = Command {
    spec: CommandSpec::new(
        "blmove",
        Group::List,
        Arity::Exactly(6),
        "Moves an element from an end of one list to an end of another, and returns it. Waits until there is one.",
    )
    .flags(BLOCKING)
    .keys(KEYS).key_flags(&["RW access delete", "RW insert"])
    .since("6.2.0")
    .syntax("source destination <LEFT|RIGHT> <LEFT|RIGHT> timeout"),
    run: blmove,
};

/// BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout
fn blmove(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let transfer = Transfer::parse(&mut args)?;
    let deadline_ms = parse_timeout(args.bytes()?, database.now_ms())?;

    transfer.run_or_wait(database, reply, deadline_ms)
}

pub(crate) const BRPOPLPUSH: Command = Command {
    spec: CommandSpec::new(
        "brpoplpush",
        Group::List,
        Arity::Exactly(4),
        "Moves the last element of one list to the front of another, and returns it. Waits until there is one.",
    )
    .flags(BLOCKING)
    .keys(KEYS).key_flags(&["RW access delete", "RW insert"])
    .since("2.2.0")
    .syntax("source destination timeout"),
    run: brpoplpush,
};

/// BRPOPLPUSH source destination timeout
fn brpoplpush(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let transfer = Transfer::parse_back_to_front(&mut args)?;
    let deadline_ms = parse_timeout(args.bytes()?, database.now_ms())?;

    transfer.run_or_wait(database, reply, deadline_ms)
}

struct Transfer<'a> {
    source: &'a [u8],
    destination: &'a [u8],
    from: End,
    to: End,
}

impl<'a> Transfer<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Transfer {
            source: args.bytes()?,
            destination: args.bytes()?,
            from: parse_end(args)?,
            to: parse_end(args)?,
        })
    }

    fn parse_back_to_front(args: &mut Args<'a>) -> Result<Self> {
        Ok(Transfer {
            source: args.bytes()?,
            destination: args.bytes()?,
            from: End::Back,
            to: End::Front,
        })
    }

    /// False if the source has no element to give.
    fn run(&self, database: &mut Database, reply: &mut ReplyWriter) -> Result<bool> {
        if database.get_mut::<List>(self.source)?.is_none() {
            return Ok(false);
        }
        // A destination of another type must be noticed before the element has left its source.
        database.get_mut::<List>(self.destination)?;

        let limits = database.limits();
        let source = database.get_mut::<List>(self.source)?;
        let element = source.and_then(|list| match self.from {
            End::Front => list.pop_front(),
            End::Back => list.pop_back(),
        });
        let element = element.expect("an empty list is no key");
        let destination = database.get_or_insert::<List>(self.destination)?;
        push(destination, self.to, &element, &limits);
        database.changed(push_event(self.to), self.destination);
        database.changed(pop_event(self.from), self.source);
        reply.bulk(&element);
        Ok(true)
    }

    fn run_or_wait(
        &self,
        database: &mut Database,
        reply: &mut ReplyWriter,
        deadline_ms: Option<i64>,
    ) -> Result {
        if self.run(database, reply)? {
            return Ok(());
        }
        // The absence of an array though no array is ever given: so it is in Redis when the time is over.
        let wait = Wait::for_array(&[self.source], deadline_ms);
        Err(Wait { refusal: Absence::Null, ..wait }.into())
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    #[test]
    fn an_element_goes_from_end_to_end() {
        assert_eq!(run("RPUSH a 1 2 \n RPUSH b 3 \n LMOVE a b LEFT RIGHT"), bulk("1"));
        assert_eq!(
            run("RPUSH a 1 2 \n RPUSH b 3 \n RPOPLPUSH a b \n LRANGE b 0 -1"),
            Reply::Array(vec![bulk("2"), bulk("3")])
        );
        assert_eq!(run("RPUSH a 1 \n BLMOVE a b LEFT LEFT 0 \n EXISTS a b"), Reply::Integer(1));
    }

    #[test]
    fn a_list_may_rotate() {
        assert_eq!(
            run("RPUSH a 1 2 3 \n RPOPLPUSH a a \n LRANGE a 0 -1"),
            Reply::Array(vec![bulk("3"), bulk("1"), bulk("2")])
        );
        assert_eq!(run("RPUSH a 1 \n BRPOPLPUSH a a 0 \n LLEN a"), Reply::Integer(1));
    }

    #[test]
    fn nothing_is_lost_to_a_destination_of_another_type() {
        assert_eq!(
            run("RPUSH a 1 \n SET s x \n LMOVE a s LEFT LEFT"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
        assert_eq!(run("RPUSH a 1 \n SET s x \n RPOPLPUSH a s \n LLEN a"), Reply::Integer(1));
        assert_eq!(run("SET s x \n LMOVE nosuch s LEFT LEFT"), Reply::Null);
    }

    #[test]
    fn ends_are_left_and_right() {
        assert_eq!(run("LMOVE a b LEFT UP"), error("ERR syntax error"));
        assert_eq!(
            run("BLMOVE a b LEFT LEFT x"),
            error("ERR timeout is not a float or out of range")
        );
    }

    #[test]
    fn the_destination_tells_before_the_source() {
        assert_eq!(events("RPUSH a 1 \n RPOPLPUSH a b"), ["lpush b", "rpop a", "del a"]);
        assert_eq!(events("RPUSH a 1 \n LMOVE a a LEFT RIGHT"), ["rpush a", "lpop a"]);
    }
}
