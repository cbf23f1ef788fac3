use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Hash};
use resp::{Protocol, ReplyWriter};

use crate::count_option::SampleSize;
use crate::error::fail;
use crate::{Command, Result};

pub(crate) const HRANDFIELD: Command = Command {
    spec: CommandSpec::new(
        "hrandfield",
        Group::Hash,
        Arity::AtLeast(2),
        "Returns fields of a hash by chance.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("6.2.0")
    .syntax("key [count [WITHVALUES]]"),
    run: hrandfield,
};

/// HRANDFIELD key [count [WITHVALUES]]
fn hrandfield(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    if args.is_empty() {
        return one_field(database, key, reply);
    }
    let size = SampleSize::parse(args.bytes()?)?;
    let shown = Shown::parse(args)?;
    if shown == Shown::FieldsAndValues && size.count() > i64::MAX as usize / 2 {
        return fail("ERR value is out of range");
    }

    let mut random = database.generator();
    let Some(hash) = database.get::<Hash>(key)? else {
        reply.array(0);
        return Ok(());
    };
    match size {
        SampleSize::Repeated(count) => {
            shown.begin(count, reply);
            for _ in 0..count {
                let pair = hash.random(&mut || random.draw()).expect("an empty hash is no key");
                shown.write(pair, reply);
            }
        }
        SampleSize::Distinct(count) if count >= hash.len() => {
            shown.begin(hash.len(), reply);
            hash.iter().for_each(|pair| shown.write(pair, reply));
        }
        SampleSize::Distinct(count) => {
            shown.begin(count, reply);
            let pairs = hash.random_distinct(count, &mut || random.draw());
            pairs.into_iter().for_each(|pair| shown.write(pair, reply));
        }
    }
    Ok(())
}

fn one_field(database: &mut Database, key: &[u8], reply: &mut ReplyWriter) -> Result {
    let mut random = database.generator();
    let pair = database.get::<Hash>(key)?.and_then(|hash| hash.random(&mut || random.draw()));
    reply.bulk_or_null(pair.map(|(field, _)| field));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Fields,
    FieldsAndValues,
}

impl Shown {
    fn parse(mut args: Args) -> Result<Self> {
        if args.is_empty() {
            return Ok(Shown::Fields);
        }
        if !args.keyword("WITHVALUES") {
            return Err(ArgError::Syntax.into());
        }
        args.finish()?;
        Ok(Shown::FieldsAndValues)
    }

    /// Pairs are arrays in RESP3, and lie flat in RESP2.
    fn begin(self, fields: usize, reply: &mut ReplyWriter) {
        let is_flat = self == Shown::FieldsAndValues && reply.protocol() == Protocol::Resp2;
        reply.array(if is_flat { 2 * fields } else { fields });
    }

    fn write(self, (field, value): (&[u8], &[u8]), reply: &mut ReplyWriter) {
        if self == Shown::Fields {
            return reply.bulk(field);
        }
        if reply.protocol() == Protocol::Resp3 {
            reply.array(2);
        }
        reply.bulk(field);
        reply.bulk(value);
    }
}

#[cfg(test)]
mod tests {
    use command_spec::Args;
    use keyspace::{Keyspace, Options};
    use resp::{Protocol, Reply, ReplyWriter};

    use super::HRANDFIELD;
    use crate::testing::{bulk, error, run, run_one};

    fn len(reply: Reply) -> usize {
        match reply {
            Reply::Array(items) => items.len(),
            other => panic!("{other:?} is no array"),
        }
    }

    #[test]
    fn a_positive_count_gives_each_field_once_and_a_negative_one_gives_as_many_as_asked() {
        assert_eq!(len(run("HSET h a 1 b 2 c 3 \n HRANDFIELD h 2")), 2);
        assert_eq!(len(run("HSET h a 1 b 2 c 3 \n HRANDFIELD h 9")), 3);
        assert_eq!(len(run("HSET h a 1 b 2 c 3 \n HRANDFIELD h -9")), 9);
        assert_eq!(len(run("HSET h a 1 b 2 c 3 \n HRANDFIELD h -9 WITHVALUES")), 18);
        assert_eq!(run("HSET h a 1 \n HRANDFIELD h"), bulk("a"));
    }

    #[test]
    fn without_a_hash_there_is_null_or_an_empty_array() {
        assert_eq!(run("HRANDFIELD nosuch"), Reply::Null);
        assert_eq!(run("HRANDFIELD nosuch 0 WITHVALUES"), Reply::Array(vec![]));
    }

    #[test]
    fn resp3_nests_the_pairs() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        run_one(&mut keyspace, "HSET h a 1");
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp3);
        let args: [&[u8]; 3] = [b"h", b"1", b"WITHVALUES"];
        (HRANDFIELD.run)(&mut keyspace.database(0), Args::new(&args), &mut reply).unwrap();
        assert_eq!(out, b"*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    }

    #[test]
    fn counts_and_options_out_of_range_are_refused() {
        for (options, expected) in [
            ("x", "ERR value is not an integer or out of range"),
            (
                "-9223372036854775808",
                "ERR value is out of range, \
                 value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("9223372036854775807 WITHVALUES", "ERR value is out of range"),
            ("1 VALUES", "ERR syntax error"),
            ("1 WITHVALUES 1", "ERR syntax error"),
        ] {
            assert_eq!(run(&format!("HRANDFIELD h {options}")), error(expected), "{options}");
        }
    }
}
