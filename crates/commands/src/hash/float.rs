use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Hash};
use resp::{ReplyWriter, parse_double};

use crate::decimal::add_decimals;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const HINCRBYFLOAT: Command = Command {
    spec: CommandSpec::new(
        "hincrbyfloat",
        Group::Hash,
        Arity::Exactly(4),
        "Adds a number to the decimal value of a field of a hash. Uses 0 as initial value if the field doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key field increment-float"),
    run: hincrbyfloat,
};

/// HINCRBYFLOAT key field increment
fn hincrbyfloat(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let field = args.bytes()?;
    let increment = args.bytes()?;
    if parse_double(increment).ok_or(ArgError::NotFloat)?.is_infinite() {
        return fail("ERR value is NaN or Infinity");
    }

    let limits = database.limits();
    // What is refused below is refused for a field that is there: no hash is left empty.
    let hash = database.get_or_insert::<Hash>(key)?;
    let sum = add_decimals(hash.get(field).unwrap_or(b"0"), increment)
        .map_err(|error| error.or_no_number(Error::text("ERR hash value is not a float")))?;
    hash.set(field, sum.as_bytes(), &limits);
    database.changed(EventKind::HINCRBYFLOAT, key);
    reply.text(&sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{bulk, error, run};

    #[test]
    fn sums_are_those_of_the_decimal_numbers_as_written() {
        assert_eq!(run("HSET h n 10.50 \n HINCRBYFLOAT h n 0.1"), bulk("10.6"));
        assert_eq!(run("HINCRBYFLOAT h n -1.5"), bulk("-1.5"));
        assert_eq!(run("HINCRBYFLOAT h n 5e3 \n HGET h n"), bulk("5000"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (increment, expected) in [
            ("x", "ERR value is not a valid float"),
            ("inf", "ERR value is NaN or Infinity"),
            ("1", "ERR hash value is not a float"),
        ] {
            let request = format!("HSET h n abc \n HINCRBYFLOAT h n {increment}");
            assert_eq!(run(&request), error(expected), "{increment}");
        }
        assert_eq!(
            run("HSET h n inf \n HINCRBYFLOAT h n 1"),
            error("ERR increment would produce NaN or Infinity")
        );
    }
}
