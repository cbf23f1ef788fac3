use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use crate::count_option::{count_within, signed_count};
use crate::error::fail;
use crate::{Command, Result};

pub(crate) const LPOS: Command = Command {
    spec: CommandSpec::new(
        "lpos",
        Group::List,
        Arity::AtLeast(3),
        "Returns the indexes at which a list has an element.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("6.0.6")
    .syntax("key element [RANK rank] [COUNT num-matches] [MAXLEN len]"),
    run: lpos,
};

struct Options {
    /// Which match to begin with: 1 is the first, -1 the last.
    rank: i64,
    /// Zero: all. `None`: one, and not in an array.
    count: Option<usize>,
    /// How many elements to compare; zero: all.
    compared_max: usize,
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
fn lpos(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let element = args.bytes()?;
    let options = parse_options(args)?;

    let Some(list) = database.get::<List>(key)? else {
        match options.count {
            Some(_) => reply.array(0),
            None => reply.null(),
        }
        return Ok(());
    };
    let from = if options.rank > 0 { End::Front } else { End::Back };
    let skipped = options.rank.unsigned_abs() as usize - 1;
    let mut matches = list.positions(element, from, or_all(options.compared_max)).skip(skipped);
    match options.count {
        Some(count) => {
            let mark = reply.begin();
            let mut found = 0;
            for index in matches.take(or_all(count)) {
                reply.integer(index as i64);
                found += 1;
            }
            reply.end_array(mark, found);
        }
        None => match matches.next() {
            Some(index) => reply.integer(index as i64),
            None => reply.null(),
        },
    }
    Ok(())
}

fn or_all(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

fn parse_options(mut args: Args) -> Result<Options> {
    let mut options = Options { rank: 1, count: None, compared_max: 0 };
    while !args.is_empty() {
        if args.keyword("RANK") {
            options.rank = signed_count(args.bytes()?)?;
            if options.rank == 0 {
                return fail(
                    "ERR RANK can't be zero: use 1 to start from the first match, \
                     2 from the second ... or use negative to start from the end of the list",
                );
            }
        } else if args.keyword("COUNT") {
            options.count = Some(count_within(args.bytes()?, 0.., "ERR COUNT can't be negative")?);
        } else if args.keyword("MAXLEN") {
            options.compared_max =
                count_within(args.bytes()?, 0.., "ERR MAXLEN can't be negative")?;
        } else {
            return Err(ArgError::Syntax.into());
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    const LIST: &str = "RPUSH l a b c a b c a \n ";

    fn lpos(options: &str) -> Reply {
        run(&format!("{LIST} LPOS l {options}"))
    }

    fn indexes(indexes: &[i64]) -> Reply {
        Reply::Array(indexes.iter().map(|index| Reply::Integer(*index)).collect())
    }

    #[test]
    fn a_rank_begins_at_either_end() {
        assert_eq!(lpos("a"), Reply::Integer(0));
        assert_eq!(lpos("a RANK 2"), Reply::Integer(3));
        assert_eq!(lpos("a RANK -1"), Reply::Integer(6));
        assert_eq!(lpos("a RANK 4"), Reply::Null);
        assert_eq!(lpos("a RANK -2 COUNT 0"), indexes(&[3, 0]));
    }

    #[test]
    fn a_count_makes_an_array_of_the_reply() {
        assert_eq!(lpos("a COUNT 2"), indexes(&[0, 3]));
        assert_eq!(lpos("a COUNT 0"), indexes(&[0, 3, 6]));
        assert_eq!(lpos("x COUNT 1"), indexes(&[]));
        assert_eq!(run("LPOS nosuch a COUNT 1"), indexes(&[]));
        assert_eq!(run("LPOS nosuch a"), Reply::Null);
    }

    #[test]
    fn maxlen_limits_what_is_compared() {
        assert_eq!(lpos("c MAXLEN 2"), Reply::Null);
        assert_eq!(lpos("a COUNT 0 MAXLEN 4"), indexes(&[0, 3]));
        assert_eq!(lpos("a RANK -1 COUNT 0 MAXLEN 4"), indexes(&[6, 3]));
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for (options, expected) in [
            (
                "a RANK 0",
                "ERR RANK can't be zero: use 1 to start from the first match, \
                 2 from the second ... or use negative to start from the end of the list",
            ),
            ("a COUNT -1", "ERR COUNT can't be negative"),
            ("a MAXLEN x", "ERR MAXLEN can't be negative"),
            ("a RANK", "ERR syntax error"),
        ] {
            assert_eq!(lpos(options), error(expected), "{options}");
        }
    }
}
