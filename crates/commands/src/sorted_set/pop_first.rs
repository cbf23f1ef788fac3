use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::members::{Direction, write_pairs};
use super::pop::pop;
use crate::count_option::{number_of_keys, pop_count_of_first};
use crate::{Command, Error, Result};

pub(crate) const ZMPOP: Command = Command {
    spec: CommandSpec::new(
        "zmpop",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Pops the lowest or highest members from the first of several sorted sets that has any.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::Counted { at: 1, also: None })
    .key_flags(&["RW access delete"])
    .since("7.0.0")
    .syntax("numkeys key [key ...] <MIN|MAX> [COUNT count]"),
    run: zmpop,
};

/// ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]
fn zmpop(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    let request = PopFirst::parse(args)?;

    if !request.pop(database, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// What ZMPOP and BZMPOP ask for.
pub(super) struct PopFirst<'a> {
    pub(super) keys: &'a [&'a [u8]],
    direction: Direction,
    count: usize,
}

impl<'a> PopFirst<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self> {
        let count = number_of_keys(args.bytes()?)?;
        let keys = args.take(count)?;
        let direction = if args.keyword("MIN") {
            Direction::Ascending
        } else if args.keyword("MAX") {
            Direction::Descending
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        };
        Ok(PopFirst { keys, direction, count: pop_count_of_first(args)? })
    }

    /// Returns whether any key had members.
    pub(super) fn pop(&self, database: &mut Database, reply: &mut ReplyWriter) -> Result<bool> {
        for key in self.keys {
            let popped = pop(database, key, self.direction, self.count, |members| {
                reply.array(2);
                reply.bulk(key);
                write_pairs(reply, members);
            })?;
            if popped {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn the_first_key_with_members_gives_them_in_pairs() {
        let pair = |member, score| Reply::Array(vec![bulk(member), bulk(score)]);
        assert_eq!(
            run("ZADD z 1 a 2 b 3 c \n ZMPOP 2 nosuch z MAX COUNT 2"),
            Reply::Array(vec![bulk("z"), Reply::Array(vec![pair("c", "3"), pair("b", "2")])])
        );
        assert_eq!(run("ZMPOP 1 nosuch MIN"), Reply::Null);
    }

    #[test]
    fn counts_are_positive_and_an_end_is_named() {
        assert_eq!(run("ZMPOP 0 z MIN"), error("ERR numkeys should be greater than 0"));
        assert_eq!(run("ZMPOP 1 z MIN COUNT 0"), error("ERR count should be greater than 0"));
        assert_eq!(run("ZMPOP 1 z FIRST"), error("ERR syntax error"));
        assert_eq!(run("ZMPOP 2 z MIN"), error("ERR syntax error"));
        assert_eq!(run("ZMPOP 1 z MIN COUNT 1 COUNT 1"), error("ERR syntax error"));
    }
}
