use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Set};
use resp::ReplyWriter;

use crate::scan_option::{ScanOptions, parse_cursor};
use crate::scan_page::{write_empty_page, write_page};
use crate::{Command, Result};

pub(crate) const SSCAN: Command = Command {
    spec: CommandSpec::new(
        "sscan",
        Group::Set,
        Arity::AtLeast(3),
        "Goes through the members of a set, a few at a time.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.0")
    .syntax("key cursor [MATCH pattern] [COUNT count]"),
    run: sscan,
};

/// SSCAN key cursor [MATCH pattern] [COUNT count]
fn sscan(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let cursor = parse_cursor(args.bytes()?)?;

    // As in Redis, options are only looked at where there is something to scan.
    let Some(set) = database.get::<Set>(key)? else {
        write_empty_page(reply);
        return Ok(());
    };
    let options = ScanOptions::parse(args)?;
    write_page(reply, |page, count| {
        set.scan(cursor, options.count, |member| {
            if options.allows(member) {
                page.bulk(member);
                *count += 1;
            }
        })
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn a_small_set_is_one_page() {
        assert_eq!(
            run("SADD s 1 2 12 \n SSCAN s 0 MATCH 1* COUNT 1"),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("1"), bulk("12")])])
        );
        assert_eq!(
            run("SSCAN nosuch 0 COUNT 0"),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![])])
        );
    }

    #[test]
    fn cursors_and_counts_are_numbers() {
        assert_eq!(run("SSCAN nosuch x"), error("ERR invalid cursor"));
        assert_eq!(run("SADD s a \n SSCAN s 0 COUNT 0"), error("ERR syntax error"));
    }
}
