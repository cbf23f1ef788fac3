use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use super::sketch;
use super::sparse::Corrupt;
use crate::{Command, Result};

pub(crate) const PFADD: Command = Command {
    spec: CommandSpec::new(
        "pfadd",
        Group::HyperLogLog,
        Arity::AtLeast(2),
        "Adds elements to a HyperLogLog; it is created if the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("2.8.9")
    .syntax("key [element [element ...]]"),
    run: pfadd,
};

/// PFADD key [element ...]
fn pfadd(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let is_new = !sketch::is_there(database, key)?;
    let changed = database.modify_bytes(key, |bytes| {
        if is_new {
            *bytes = sketch::empty();
        }
        let mut changed = is_new;
        for element in args.rest() {
            changed |= sketch::add(bytes, element)?;
        }
        if changed {
            sketch::forget_count(bytes);
        }
        Ok::<bool, Corrupt>(changed)
    })??;
    if changed {
        database.changed(EventKind::PFADD, key);
    }
    reply.integer(i64::from(changed));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, events, run};

    #[test]
    fn a_change_of_any_register_is_told() {
        assert_eq!(run("PFADD h a b"), Reply::Integer(1));
        assert_eq!(run("PFADD h a b \n PFADD h b a"), Reply::Integer(0));
        assert_eq!(run("PFADD h"), Reply::Integer(1));
        assert_eq!(run("PFADD h \n PFADD h"), Reply::Integer(0));
        assert_eq!(events("PFADD h a"), ["pfadd h"]);
        assert!(events("PFADD h a \n PFADD h a").is_empty());
    }

    #[test]
    fn other_strings_are_refused() {
        let refusal = error("WRONGTYPE Key is not a valid HyperLogLog string value.");
        assert_eq!(run("SET h HYLL \n PFADD h a"), refusal);
        assert_eq!(run("SET h \"HYLL\\x00..............\" \n PFADD h a"), refusal);
        let corrupt = error("INVALIDOBJ Corrupted HLL object detected");
        assert_eq!(run("SET h \"HYLL\\x01..............\" \n PFADD h a"), corrupt);
    }
}
