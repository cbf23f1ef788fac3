use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use resp::ReplyWriter;

use crate::decimal::add_decimals;
use crate::{Command, Error, Result};

pub(crate) const INCRBYFLOAT: Command = Command {
    spec: CommandSpec::new(
        "incrbyfloat",
        Group::String,
        Arity::Exactly(3),
        "Increments the floating point value of a key by a number. Uses 0 as initial value if the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key increment-float"),
    run: incrbyfloat,
};

/// INCRBYFLOAT key increment
fn incrbyfloat(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let increment = args.bytes()?;

    let old = match database.string(key)? {
        Some(value) => value.to_vec(),
        None => b"0".to_vec(),
    };
    let sum = add_decimals(&old, increment)
        .map_err(|error| error.or_no_number(Error::Argument(ArgError::NotFloat)))?;
    database.set_string(key, sum.as_bytes(), Expiry::Keep);
    database.changed(EventKind::INCRBYFLOAT, key);
    reply.text(&sum);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{bulk, error, run};

    #[test]
    fn sums_are_those_of_the_decimal_numbers_as_written() {
        assert_eq!(run("SET n 10.50 \n INCRBYFLOAT n 0.1"), bulk("10.6"));
        assert_eq!(run("SET n 5.0e3 \n INCRBYFLOAT n 2.0e2"), bulk("5200"));
        assert_eq!(run("INCRBYFLOAT n -1.5"), bulk("-1.5"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(run("SET n abc \n INCRBYFLOAT n 1"), error("ERR value is not a valid float"));
        assert_eq!(run("INCRBYFLOAT n inf"), error("ERR increment would produce NaN or Infinity"));
    }
}
