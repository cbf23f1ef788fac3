use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Set};
use resp::ReplyWriter;

use super::members::write_members;
use crate::count_option::pop_count;
use crate::{Command, Error, Result};

pub(crate) const SPOP: Command = Command {
    spec: CommandSpec::new(
        "spop",
        Group::Set,
        Arity::AtLeast(2),
        "Removes one or more random members from a set and returns them.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .syntax("key [count]"),
    run: spop,
};

/// SPOP key [count]
fn spop(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    match args.rest() {
        [] => pop_one(database, key, reply),
        [count] => pop_many(database, key, pop_count(count)?, reply),
        _ => Err(Error::Argument(ArgError::Syntax).into()),
    }
}

fn pop_one(database: &mut Database, key: &[u8], reply: &mut ReplyWriter) -> Result {
    let mut random = database.generator();
    let set = database.get_mut::<Set>(key)?;
    match set.and_then(|set| set.pop(&mut || random.draw())) {
        Some(member) => {
            database.changed(EventKind::SPOP, key);
            reply.bulk(&member);
        }
        None => reply.null(),
    }
    Ok(())
}

fn pop_many(database: &mut Database, key: &[u8], count: usize, reply: &mut ReplyWriter) -> Result {
    let mut random = database.generator();
    let Some(set) = database.get_mut::<Set>(key)? else {
        reply.set(0);
        return Ok(());
    };
    if count == 0 {
        reply.set(0);
        return Ok(());
    }
    if count >= set.len() {
        write_members(reply, set);
        *set = Set::default();
    } else {
        reply.set(count);
        for _ in 0..count {
            let member = set.pop(&mut || random.draw()).expect("fewer than all are popped");
            reply.bulk(&member);
        }
    }
    database.changed(EventKind::SPOP, key);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run, run_resp3};

    #[test]
    fn the_last_pop_removes_the_key() {
        assert_eq!(run("SADD s a \n SPOP s"), bulk("a"));
        assert_eq!(run("SADD s a \n SPOP s \n EXISTS s"), Reply::Integer(0));
        assert_eq!(run("SADD s a b c \n SPOP s 3 \n EXISTS s"), Reply::Integer(0));
        assert_eq!(run("SPOP nosuch"), Reply::Null);
    }

    #[test]
    fn a_count_pops_so_many_different_members() {
        assert_eq!(run("SADD s a b c d \n SPOP s 3 \n SCARD s"), Reply::Integer(1));
        assert_eq!(run("SADD s 1 2 \n SPOP s 10"), Reply::Array(vec![bulk("1"), bulk("2")]));
        assert_eq!(run_resp3("SADD s a \n SPOP s 1"), Reply::Set(vec![bulk("a")]));
        assert_eq!(run("SADD s a \n SPOP s 0"), Reply::Array(vec![]));
        assert_eq!(run("SPOP nosuch 2"), Reply::Array(vec![]));
    }

    #[test]
    fn counts_are_not_negative() {
        assert_eq!(run("SPOP s -1"), error("ERR value is out of range, must be positive"));
        assert_eq!(run("SPOP s 1 2"), error("ERR syntax error"));
    }

    #[test]
    fn a_whole_set_that_is_popped_is_deleted_too() {
        assert_eq!(events("SADD s a b \n SPOP s 2"), ["spop s", "del s"]);
        assert_eq!(events("SADD s a b \n SPOP s 1"), ["spop s"]);
        assert!(events("SADD s a b \n SPOP s 0").is_empty());
    }
}
