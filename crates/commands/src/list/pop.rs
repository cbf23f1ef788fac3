use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::end::{pop_event, pop_into};
use crate::error::wrong_arity;
use crate::{Command, Error, Result};

pub(crate) const LPOP: Command = Command {
    spec: CommandSpec::new(
        "lpop",
        Group::List,
        Arity::AtLeast(2),
        "Removes and returns the first elements of a list.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .syntax("key [count]"),
    run: |database, args, reply| pop(database, args, reply, End::Front, "lpop"),
};

pub(crate) const RPOP: Command = Command {
    spec: CommandSpec::new(
        "rpop",
        Group::List,
        Arity::AtLeast(2),
        "Removes and returns the last elements of a list, the last one first.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .syntax("key [count]"),
    run: |database, args, reply| pop(database, args, reply, End::Back, "rpop"),
};

fn pop(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    end: End,
    command: &str,
) -> Result {
    let key = args.bytes()?;
    let count = match args.rest() {
        [] => None,
        [count] => Some(parse_count(count)?),
        _ => return Err(wrong_arity(command)),
    };

    let Some(list) = database.get_mut::<List>(key)? else {
        match count {
            Some(_) => reply.null_array(),
            None => reply.null(),
        }
        return Ok(());
    };
    match count {
        None => pop_into(list, end, 1, reply),
        Some(0) => {
            reply.array(0);
            return Ok(());
        }
        Some(count) => {
            let count = count.min(list.len());
            reply.array(count);
            pop_into(list, end, count, reply);
        }
    }
    database.changed(pop_event(end), key);
    Ok(())
}

fn parse_count(text: &[u8]) -> Result<usize> {
    resp::parse_integer(text)
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| Error::text("ERR value is out of range, must be positive").into())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    #[test]
    fn elements_leave_from_their_end_and_the_last_takes_the_key_along() {
        assert_eq!(run("RPUSH l a b c \n LPOP l"), bulk("a"));
        assert_eq!(run("RPUSH l a b c \n RPOP l 2"), Reply::Array(vec![bulk("c"), bulk("b")]));
        assert_eq!(run("RPUSH l a b \n LPOP l 9 \n EXISTS l"), Reply::Integer(0));
    }

    #[test]
    fn none_of_something_is_not_the_absence_of_it() {
        assert_eq!(run("RPUSH l a \n LPOP l 0"), Reply::Array(vec![]));
        assert_eq!(run("LPOP nosuch 0"), Reply::Null);
        assert_eq!(run("LPOP nosuch"), Reply::Null);
    }

    #[test]
    fn a_count_is_one_number_that_is_not_negative() {
        let expected = error("ERR value is out of range, must be positive");
        assert_eq!(run("LPOP l -1"), expected);
        assert_eq!(run("LPOP l x"), expected);
        assert_eq!(run("LPOP l 1 2"), error("ERR wrong number of arguments for 'lpop' command"));
    }

    #[test]
    fn only_what_leaves_is_an_event() {
        assert_eq!(events("RPUSH l a b \n LPOP l 0"), [""; 0]);
        assert_eq!(events("RPUSH l a b \n LPOP l"), ["lpop l"]);
        assert_eq!(events("RPUSH l a b \n RPOP l 2"), ["rpop l", "del l"]);
    }
}
