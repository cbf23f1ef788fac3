use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use crate::scan_option::{ScanOptions, parse_cursor};
use crate::scan_page::write_page;
use crate::{Command, Error, Result, glob};

pub(crate) const SCAN: Command = Command {
    spec: CommandSpec::new(
        "scan",
        Group::Generic,
        Arity::AtLeast(2),
        "Iterates over the key names in the database.",
    )
    .flags(Flags::READONLY)
    .since("2.8.0")
    .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]"),
    run: scan,
};

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
fn scan(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let cursor = parse_cursor(args.bytes()?)?;
    let mut options = ScanOptions::default();
    let mut wanted_type = None;
    while !args.is_empty() {
        if args.keyword("TYPE") {
            wanted_type = Some(args.bytes()?.to_ascii_lowercase());
        } else if !options.parse_one(&mut args)? {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }

    write_page(reply, |page, count| {
        database.scan(cursor, options.count, &mut |key, value| {
            let name = value.type_of().name().as_bytes();
            if wanted_type.as_ref().is_none_or(|wanted| wanted == name) && options.allows(key) {
                page.bulk(key);
                *count += 1;
            }
        })
    });
    Ok(())
}

pub(crate) const KEYS: Command = Command {
    spec: CommandSpec::new(
        "keys",
        Group::Generic,
        Arity::Exactly(2),
        "Returns all key names that match a pattern.",
    )
    .flags(Flags::READONLY)
    .categories(&["@keyspace", "@dangerous"])
    .keys(Keys::None)
    .syntax("pattern"),
    run: keys,
};

/// KEYS pattern
fn keys(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let pattern = args.bytes()?;

    let mark = reply.begin();
    let mut count = 0;
    database.for_each_key(|key: &[u8]| {
        if glob::matches(pattern, key) {
            reply.bulk(key);
            count += 1;
        }
    });
    reply.end_array(mark, count);
    Ok(())
}

pub(crate) const RANDOMKEY: Command = Command {
    spec: CommandSpec::new(
        "randomkey",
        Group::Generic,
        Arity::Exactly(1),
        "Returns a random key name from the database.",
    )
    .flags(Flags::READONLY),
    run: randomkey,
};

/// RANDOMKEY
fn randomkey(database: &mut Database, _args: Args, reply: &mut ReplyWriter) -> Result {
    reply.bulk_or_null(database.random_key().as_deref());
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn a_scan_tells_its_cursor_and_what_matches() {
        assert_eq!(
            run("MSET a1 1 a2 2 b 3 \n SCAN 0 MATCH b COUNT 100"),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("b")])])
        );
        assert_eq!(run("SCAN x"), error("ERR invalid cursor"));
        assert_eq!(run("SCAN 0 COUNT 0"), error("ERR syntax error"));
        assert_eq!(
            run("SET a 1 \n SCAN 0 COUNT 10 TYPE list"),
            Reply::Array(vec![bulk("0"), Reply::Array(vec![])])
        );
    }

    #[test]
    fn keys_are_found_by_pattern() {
        assert_eq!(run("MSET a1 1 b 3 \n KEYS a?"), Reply::Array(vec![bulk("a1")]));
        assert_eq!(run("RANDOMKEY"), Reply::Null);
        assert_eq!(run("SET only 1 \n RANDOMKEY"), bulk("only"));
    }
}
