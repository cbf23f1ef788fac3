use std::ops::Range;

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, List};
use resp::ReplyWriter;

use crate::{Command, Result};

pub(crate) const LINDEX: Command = Command {
    spec: CommandSpec::new(
        "lindex",
        Group::List,
        Arity::Exactly(3),
        "Returns the element of a list at an index.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .syntax("key index"),
    run: lindex,
};

/// LINDEX key index
fn lindex(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let Some(list) = database.get::<List>(key)? else {
        // Even of an index that is no integer.
        reply.null();
        return Ok(());
    };
    let index = args.integer()?;
    reply.bulk_or_null(resolve(index, list.len()).and_then(|index| list.get(index)));
    Ok(())
}

/// An index as commands give it: negative ones count from the end, and may fall before the first.
pub(super) fn resolve(index: i64, len: usize) -> Option<usize> {
    usize::try_from(from_start(index, len)).ok()
}

/// The range of a `start` and a `stop`, both included, cut to what is there.
pub(super) fn resolve_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let start = from_start(start, len).max(0);
    let stop = from_start(stop, len).min(len as i64 - 1);
    if start > stop {
        return 0..0;
    }
    start as usize..stop as usize + 1
}

fn from_start(index: i64, len: usize) -> i64 {
    if index < 0 { index + len as i64 } else { index }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use super::resolve_range;
    use crate::testing::{bulk, error, run};

    #[test]
    fn negative_indexes_count_from_the_end() {
        assert_eq!(run("RPUSH l a b c \n LINDEX l 0"), bulk("a"));
        assert_eq!(run("RPUSH l a b c \n LINDEX l -1"), bulk("c"));
        assert_eq!(run("RPUSH l a b c \n LINDEX l 3"), Reply::Null);
        assert_eq!(run("RPUSH l a b c \n LINDEX l -4"), Reply::Null);
    }

    #[test]
    fn an_index_matters_only_where_a_list_is() {
        assert_eq!(run("LINDEX nosuch x"), Reply::Null);
        assert_eq!(
            run("RPUSH l a \n LINDEX l x"),
            error("ERR value is not an integer or out of range")
        );
    }

    #[test]
    fn ranges_are_cut_to_the_list() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (-3, -2, 2..4),
            (i64::MIN, i64::MAX, 0..5),
            (3, 1, 0..0),
            (5, 9, 0..0),
            (0, -6, 0..0),
            (-9, 0, 0..1),
        ] {
            assert_eq!(resolve_range(start, stop, 5), expected, "{start} to {stop}");
        }
    }
}
