use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::{ReplyWriter, format_double};

use crate::scan_option::{ScanOptions, parse_cursor};
use crate::scan_page::{write_empty_page, write_page};
use crate::{Command, Result};

pub(crate) const ZSCAN: Command = Command {
    spec: CommandSpec::new(
        "zscan",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Goes through the members of a sorted set and their scores, a few at a time.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.0")
    .syntax("key cursor [MATCH pattern] [COUNT count]"),
    run: zscan,
};

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
fn zscan(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let cursor = parse_cursor(args.bytes()?)?;

    // As in Redis, options are only looked at where there is something to scan.
    let Some(set) = database.get::<SortedSet>(key)? else {
        write_empty_page(reply);
        return Ok(());
    };
    let options = ScanOptions::parse(args)?;
    let mut text = Vec::new();
    write_page(reply, |page, count| {
        set.scan(cursor, options.count, |member, score| {
            if options.allows(member) {
                page.bulk(member);
                // Here, a score is a string in RESP3 too.
                text.clear();
                format_double(score, &mut text);
                page.bulk(&text);
                *count += 2;
            }
        })
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run, run_resp3};

    #[test]
    fn members_come_with_their_scores_as_strings() {
        let page = |elements| Reply::Array(vec![bulk("0"), Reply::Array(elements)]);
        assert_eq!(
            run_resp3("ZADD z 1.5 a 2 b \n ZSCAN z 0 MATCH a"),
            page(vec![bulk("a"), bulk("1.5")])
        );
        assert_eq!(run("ZSCAN nosuch 0"), page(vec![]));
    }
}
