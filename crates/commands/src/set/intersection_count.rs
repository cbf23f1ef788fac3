use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use keyspace::value::set::intersection;
use resp::ReplyWriter;

use super::sources::sources;
use crate::count_option::{cardinality_limit, number_of_keys};
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const SINTERCARD: Command = Command {
    spec: CommandSpec::new(
        "sintercard",
        Group::Set,
        Arity::AtLeast(3),
        "Counts the members that all of several sets have, up to a limit.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Counted { at: 1, also: None })
    .since("7.0.0")
    .syntax("numkeys key [key ...] [LIMIT limit]"),
    run: sintercard,
};

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
fn sintercard(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let count = number_of_keys(args.bytes()?)?;
    if count > args.len() {
        return fail("ERR Number of keys can't be greater than number of args");
    }
    let keys = args.take(count)?;
    let mut limit = usize::MAX;
    while !args.is_empty() {
        if !args.keyword("LIMIT") {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
        limit = cardinality_limit(args.bytes()?)?;
    }

    let sets: Option<Vec<_>> = sources(database, keys)?.into_iter().collect();
    let count = sets.map_or(0, |sets| intersection(&sets).take(limit).count());
    reply.integer(count as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn counting_ends_at_the_limit_and_zero_is_none() {
        const SETS: &str = "SADD a 1 2 3 \n SADD b 1 2 3 4 \n";
        for (command, count) in [
            ("SINTERCARD 2 a b", 3),
            ("SINTERCARD 2 a b LIMIT 2", 2),
            ("SINTERCARD 2 a b LIMIT 0", 3),
            ("SINTERCARD 2 a nosuch", 0),
        ] {
            assert_eq!(run(&format!("{SETS}{command}")), Reply::Integer(count), "{command}");
        }
    }

    #[test]
    fn the_number_of_keys_must_be_true() {
        assert_eq!(run("SINTERCARD 0 a"), error("ERR numkeys should be greater than 0"));
        assert_eq!(
            run("SINTERCARD 3 a b"),
            error("ERR Number of keys can't be greater than number of args")
        );
        assert_eq!(run("SINTERCARD 1 a LIMIT -1"), error("ERR LIMIT can't be negative"));
        assert_eq!(run("SINTERCARD 1 a LIMIT"), error("ERR syntax error"));
    }
}
