use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::end::{parse_end, pop_event, pop_into};
use crate::count_option::{number_of_keys, pop_count_of_first};
use crate::timeout::parse_timeout;
use crate::{Command, Result, Wait};

pub(crate) const LMPOP: Command = Command {
    spec: CommandSpec::new(
        "lmpop",
        Group::List,
        Arity::AtLeast(4),
        "Removes and returns elements of the first of several lists that has any.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::Counted { at: 1, also: None })
    .key_flags(&["RW access delete"])
    .since("7.0.0")
    .syntax("numkeys key [key ...] <LEFT|RIGHT> [COUNT count]"),
    run: lmpop,
};

/// LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]
fn lmpop(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    let request = PopMany::parse(args)?;

    if !request.run(database, reply)? {
        reply.null_array();
    }
    Ok(())
}

pub(crate) const BLMPOP: Command = Command {
    spec: CommandSpec::new(
        "blmpop",
        Group::List,
        Arity::AtLeast(5),
        "Removes and returns elements of the first of several lists that has any. Waits until one has.",
    )
    .flags(Flags::WRITE.and(Flags::BLOCKING))
    .keys(Keys::Counted { at: 2, also: None }).key_flags(&["RW access delete"])
    .since("7.0.0")
    .syntax("timeout numkeys key [key ...] <LEFT|RIGHT> [COUNT count]"),
    run: blmpop,
};

/// BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]
fn blmpop(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let timeout = args.bytes()?;
    let request = PopMany::parse(args)?;
    let deadline_ms = parse_timeout(timeout, database.now_ms())?;

    if request.run(database, reply)? {
        return Ok(());
    }
    Err(Wait::for_array(request.keys, deadline_ms).into())
}

struct PopMany<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> PopMany<'a> {
    fn parse(mut args: Args<'a>) -> Result<Self> {
        let count = number_of_keys(args.bytes()?)?;
        let keys = args.take(count)?;
        let end = parse_end(&mut args)?;
        Ok(PopMany { keys, end, count: pop_count_of_first(args)? })
    }

    /// False if no list has an element.
    fn run(&self, database: &mut Database, reply: &mut ReplyWriter) -> Result<bool> {
        for key in self.keys {
            let Some(list) = database.get_mut::<List>(key)? else { continue };
            let count = self.count.min(list.len());
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
            pop_into(list, self.end, count, reply);
            database.changed(pop_event(self.end), key);
            return Ok(true);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_first_list_that_is_there_gives_its_elements() {
        assert_eq!(
            run("RPUSH b 1 2 3 \n LMPOP 2 a b RIGHT COUNT 2"),
            Reply::Array(vec![bulk("b"), Reply::Array(vec![bulk("3"), bulk("2")])])
        );
        assert_eq!(run("LMPOP 1 a LEFT"), Reply::Null);
        assert_eq!(
            run("RPUSH b 1 \n BLMPOP 0 1 b LEFT"),
            Reply::Array(vec![bulk("b"), Reply::Array(vec![bulk("1")])])
        );
    }

    #[test]
    fn counts_are_positive_and_said_once() {
        for (request, expected) in [
            ("LMPOP 0 l LEFT", "ERR numkeys should be greater than 0"),
            ("LMPOP 9223372036854775807 l LEFT", "ERR syntax error"),
            ("LMPOP 2 l LEFT", "ERR syntax error"),
            ("LMPOP 1 l LEFT COUNT 0", "ERR count should be greater than 0"),
            ("LMPOP 1 l LEFT COUNT 1 COUNT 1", "ERR syntax error"),
            ("BLMPOP x 0 l LEFT", "ERR numkeys should be greater than 0"),
            ("BLMPOP x 1 l LEFT", "ERR timeout is not a float or out of range"),
        ] {
            assert_eq!(run(request), error(expected), "{request}");
        }
    }
}
