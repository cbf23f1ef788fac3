use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::estimate::estimate;
use super::registers::Registers;
use super::sketch;
use super::sparse::Corrupt;
use crate::{Command, Result};

pub(crate) const PFCOUNT: Command = Command {
    spec: CommandSpec::new(
        "pfcount",
        Group::HyperLogLog,
        Arity::AtLeast(2),
        "Returns about how many distinct elements HyperLogLogs have seen together.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::ALL)
    .since("2.8.9")
    .syntax("key [key ...]"),
    run: pfcount,
};

/// PFCOUNT key [key ...]
fn pfcount(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let keys = args.rest();

    let count = match keys {
        [key] => count_one(database, key)?,
        keys => {
            let mut merged = Registers::new();
            for key in keys {
                sketch::read(database, key, |sketch| sketch.merge_into(&mut merged))?
                    .transpose()?;
            }
            estimate(&merged.histogram())
        }
    };
    reply.integer(count.cast_signed());
    Ok(())
}

/// What was counted is kept with the sketch, which makes this a command that reads and may write.
fn count_one(database: &mut Database, key: &[u8]) -> Result<u64> {
    let known = sketch::read(database, key, |sketch| match sketch.count() {
        Some(count) => Ok::<_, Corrupt>((count, true)),
        None => Ok((estimate(&sketch.histogram()?), false)),
    })?;
    let Some((count, is_known)) = known.transpose()? else { return Ok(0) };
    if !is_known {
        database.modify_bytes(key, |bytes| sketch::set_count(bytes, count))?;
        database.changed_quietly();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, run};

    #[test]
    fn several_sketches_are_counted_as_one() {
        assert_eq!(run("PFADD h a b c \n PFCOUNT h"), Reply::Integer(3));
        assert_eq!(run("PFADD h a b c \n PFADD i c d \n PFCOUNT h i nosuch"), Reply::Integer(4));
        assert_eq!(run("PFCOUNT nosuch"), Reply::Integer(0));
    }

    #[test]
    fn the_count_is_kept_until_the_next_change() {
        let cached = |script: &str| run(&format!("{script} \n GETRANGE h 8 15"));
        assert_eq!(cached("PFADD h a b c"), Reply::Bulk(vec![0, 0, 0, 0, 0, 0, 0, 0x80]));
        assert_eq!(cached("PFADD h a b c \n PFCOUNT h"), bulk("\x03\0\0\0\0\0\0\0"));
    }
}
