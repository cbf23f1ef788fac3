use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::ReplyWriter;

use crate::scan_option::{ScanOptions, parse_cursor};
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

    let Some(hash) = database.get::<Hash>(key)? else {
        // Whatever the options are.
        reply.array(2);
        reply.text("0");
        reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::parse(args)?;
    // The next cursor stands before the pairs and is known after them.
    let mut pairs = Vec::new();
    let mut pairs_reply = ReplyWriter::new(&mut pairs, reply.protocol());
    let mut count = 0;
    let next = hash.scan(cursor, options.count, |field, value| {
        if options.allows(field) {
            pairs_reply.bulk(field);
            pairs_reply.bulk(value);
            count += 1;
        }
    });
    reply.array(2);
    reply.text(&next.to_string());
    reply.array(2 * count);
    reply.raw(&pairs);
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
