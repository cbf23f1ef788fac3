use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::ReplyWriter;

use crate::scan_option::{ScanOptions, parse_cursor};
use crate::scan_page::{write_empty_page, write_page};
use crate::{Command, Result};

pub(crate) const HSCAN: Command = Command {
    spec: CommandSpec::new(
        "hscan",
        Group::Hash,
        Arity::AtLeast(3),
        "Iterates over the fields of a hash and their values.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.8.0")
    .syntax("key cursor [MATCH pattern] [COUNT count]"),
    run: hscan,
};

/// HSCAN key cursor [MATCH pattern] [COUNT count]
fn hscan(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let cursor = parse_cursor(args.bytes()?)?;

    // As in Redis, options are only looked at where there is something to scan.
    let Some(hash) = database.get::<Hash>(key)? else {
        write_empty_page(reply);
        return Ok(());
    };
    let options = ScanOptions::parse(args)?;
    write_page(reply, |page, count| {
        hash.scan(cursor, options.count, |field, value| {
            if options.allows(field) {
                page.bulk(field);
                page.bulk(value);
                *count += 2;
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
    fn a_small_hash_is_scanned_at_once() {
        assert_eq!(
            run("HSET h a1 1 a2 2 b 3 \n HSCAN h 0 MATCH a* COUNT 1"),
            Reply::Array(vec![
                bulk("0"),
                Reply::Array(vec![bulk("a1"), bulk("1"), bulk("a2"), bulk("2")])
            ])
        );
    }

    #[test]
    fn options_matter_only_where_a_hash_is() {
        assert_eq!(
            run("HSCAN nosuch 0 COUNT 0"),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![])])
        );
        assert_eq!(run("HSET h a 1 \n HSCAN h 0 COUNT 0"), error("ERR syntax error"));
        assert_eq!(run("HSCAN nosuch x"), error("ERR invalid cursor"));
    }
}
