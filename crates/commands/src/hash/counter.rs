use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Hash};
use resp::{ReplyWriter, parse_integer};

use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const HINCRBY: Command = Command {
    spec: CommandSpec::new(
        "hincrby",
        Group::Hash,
        Arity::Exactly(4),
        "Adds a number to the integer value of a field of a hash. Uses 0 as initial value if the field doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("2.0.0")
    .syntax("key field increment"),
    run: hincrby,
};

/// HINCRBY key field increment
fn hincrby(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;
    let increment = args.integer()?;

    let limits = database.limits();
    // What is refused below is refused for a field that is there: no hash is left empty.
    let hash = database.get_or_insert::<Hash>(key)?;
    let old = match hash.get(field) {
        Some(text) => {
            parse_integer(text).ok_or_else(|| Error::text("ERR hash value is not an integer"))?
        }
        None => 0,
    };
    let Some(value) = old.checked_add(increment) else {
        return fail("ERR increment or decrement would overflow");
    };
    hash.set(field, itoa::Buffer::new().format(value).as_bytes(), &limits);
    database.changed(EventKind::HINCRBY, key);
    reply.integer(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn counters_begin_at_zero() {
        assert_eq!(run("HINCRBY h n -5"), Reply::Integer(-5));
        assert_eq!(run("HSET h n 10 \n HINCRBY h n 3 \n HGET h n"), bulk("13"));
    }

    #[test]
    fn what_is_no_integer_or_would_overflow_is_refused() {
        assert_eq!(run("HSET h n x \n HINCRBY h n 1"), error("ERR hash value is not an integer"));
        assert_eq!(
            run("HSET h n 9223372036854775807 \n HINCRBY h n 1"),
            error("ERR increment or decrement would overflow")
        );
        assert_eq!(
            run("HSET h n x \n HINCRBY h n y"),
            error("ERR value is not an integer or out of range")
        );
    }
}
