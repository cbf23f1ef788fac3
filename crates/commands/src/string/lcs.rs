use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const LCS: Command = Command {
    spec: CommandSpec::new(
        "lcs",
        Group::String,
        Arity::AtLeast(3),
        "Finds the longest common subsequence of two strings.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .since("7.0.0")
    .syntax("key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]"),
    run: lcs,
};

#[derive(Default)]
struct Options {
    /// LEN
    length: bool,
    /// IDX
    matches: bool,
    min_match_len: usize,
    with_match_len: bool,
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
fn lcs(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let left = string(database, args.bytes()?)?;
    let right = string(database, args.bytes()?)?;
    let options = parse_options(args)?;

    let table = Table::of(&left, &right)?;
    if options.matches {
        write_matches(reply, &table, &options);
    } else if options.length {
        reply.integer(i64::from(table.length()));
    } else {
        let mut common = Vec::with_capacity(table.length() as usize);
        for matched in table.matches() {
            common.extend(left[matched.left..matched.left + matched.len].iter().rev());
        }
        common.reverse();
        reply.bulk(&common);
    }
    Ok(())
}

fn string(database: &mut Database, key: &[u8]) -> Result<Vec<u8>> {
    match database.string(key) {
        Ok(value) => Ok(value.map_or_else(Vec::new, |value| value.to_vec())),
        Err(_) => fail("ERR The specified keys must contain string values"),
    }
}

fn parse_options(mut args: Args) -> Result<Options> {
    let mut options = Options::default();
    while !args.is_empty() {
        if args.keyword("LEN") {
            options.length = true;
        } else if args.keyword("IDX") {
            options.matches = true;
        } else if args.keyword("WITHMATCHLEN") {
            options.with_match_len = true;
        } else if args.len() > 1 && args.keyword("MINMATCHLEN") {
            options.min_match_len = usize::try_from(args.integer()?).unwrap_or(0);
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    if options.length && options.matches {
        return fail("ERR If you want both the length and indexes, please just use IDX.");
    }
    Ok(options)
}

fn write_matches(reply: &mut ReplyWriter, table: &Table, options: &Options) {
    reply.map(2);
    reply.text("matches");
    let mark = reply.begin();
    let mut count = 0;
    for matched in table.matches().filter(|matched| matched.len >= options.min_match_len) {
        reply.array(if options.with_match_len { 3 } else { 2 });
        for start in [matched.left, matched.right] {
            reply.array(2);
            reply.integer(start as i64);
            reply.integer((start + matched.len - 1) as i64);
        }
        if options.with_match_len {
            reply.integer(matched.len as i64);
        }
        count += 1;
    }
    reply.end_array(mark, count);
    reply.text("len");
    reply.integer(i64::from(table.length()));
}

/// How much the first so many bytes of both strings have in common, for every pair of lengths.
struct Table<'a> {
    left: &'a [u8],
    right: &'a [u8],
    lengths: Vec<u32>,
}

/// Bytes that both strings have in a row.
struct Match {
    left: usize,
    right: usize,
    len: usize,
}

impl<'a> Table<'a> {
    fn of(left: &'a [u8], right: &'a [u8]) -> Result<Table<'a>> {
        let columns = right.len() + 1;
        let mut lengths: Vec<u32> = Vec::new();
        let cells = (left.len() + 1).checked_mul(columns);
        if cells.is_none_or(|cells| lengths.try_reserve_exact(cells).is_err()) {
            return fail("ERR Insufficient memory, failed allocating transient memory for LCS");
        }
        lengths.resize(columns, 0);
        for byte in left {
            let above = lengths.len() - columns;
            let mut before = 0;
            lengths.push(0);
            for (column, other) in right.iter().enumerate() {
                before = if byte == other {
                    lengths[above + column] + 1
                } else {
                    before.max(lengths[above + column + 1])
                };
                lengths.push(before);
            }
        }
        Ok(Table { left, right, lengths })
    }

    fn length(&self) -> u32 {
        self.at(self.left.len(), self.right.len())
    }

    fn at(&self, left: usize, right: usize) -> u32 {
        self.lengths[left * (self.right.len() + 1) + right]
    }

    /// The parts of one longest common subsequence, the last one first.
    fn matches(&self) -> impl Iterator<Item = Match> {
        let (mut left, mut right) = (self.left.len(), self.right.len());
        std::iter::from_fn(move || {
            let mut len = 0;
            while left > 0 && right > 0 {
                if self.left[left - 1] == self.right[right - 1] {
                    (left, right, len) = (left - 1, right - 1, len + 1);
                } else if len > 0 {
                    break;
                } else if self.at(left - 1, right) > self.at(left, right - 1) {
                    left -= 1;
                } else {
                    right -= 1;
                }
            }
            (len > 0).then_some(Match { left, right, len })
        })
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    fn lcs(options: &str) -> Reply {
        run(&format!("MSET a ohmytext b mynewtext \n LCS a b {options}"))
    }

    fn ends(first: i64, last: i64) -> Reply {
        Reply::Array(vec![Reply::Integer(first), Reply::Integer(last)])
    }

    #[test]
    fn what_two_strings_have_in_common_need_not_be_in_a_row() {
        assert_eq!(lcs(""), bulk("mytext"));
        assert_eq!(lcs("LEN"), Reply::Integer(6));
        assert_eq!(run("SET a x \n LCS a nosuch"), bulk(""));
    }

    #[test]
    fn matches_are_told_from_the_last_to_the_first() {
        let last = Reply::Array(vec![ends(4, 7), ends(5, 8)]);
        let first = Reply::Array(vec![ends(2, 3), ends(0, 1)]);
        let reply = |matches| {
            Reply::Array(vec![
                bulk("matches"),
                Reply::Array(matches),
                bulk("len"),
                Reply::Integer(6),
            ])
        };
        assert_eq!(lcs("IDX MINMATCHLEN 3"), reply(vec![last.clone()]));
        assert_eq!(lcs("IDX"), reply(vec![last, first]));
        assert_eq!(
            lcs("IDX MINMATCHLEN 4 WITHMATCHLEN"),
            reply(vec![Reply::Array(vec![ends(4, 7), ends(5, 8), Reply::Integer(4)])])
        );
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        assert_eq!(
            lcs("LEN IDX"),
            error("ERR If you want both the length and indexes, please just use IDX.")
        );
        assert_eq!(lcs("MINMATCHLEN"), error("ERR syntax error"));
        assert_eq!(
            run("XADD s 1 a x \n LCS s b x"),
            error("ERR The specified keys must contain string values")
        );
    }
}
