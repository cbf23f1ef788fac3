use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use resp::ReplyWriter;

use crate::expire_option::{Time, end_at};
use crate::reply::write_string;
use crate::{Command, Result};

pub(crate) const GET: Command = Command {
    spec: CommandSpec::new(
        "get",
        Group::String,
        Arity::Exactly(2),
        "Returns the string value of a key.",
    )
    .flags(Flags::READONLY.and(Flags::FAST))
    .keys(Keys::First)
    .syntax("key"),
    run: get,
};

/// GET key
fn get(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.string(key)? {
        Some(value) => write_string(reply, &value),
        None => reply.null(),
    }
    Ok(())
}

pub(crate) const GETDEL: Command = Command {
    spec: CommandSpec::new(
        "getdel",
        Group::String,
        Arity::Exactly(2),
        "Returns the string value of a key after deleting the key.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW access delete"])
    .since("6.2.0")
    .syntax("key"),
    run: getdel,
};

/// GETDEL key
fn getdel(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.string(key)? {
        Some(value) => write_string(reply, &value),
        None => {
            reply.null();
            return Ok(());
        }
    }
    database.delete(key);
    Ok(())
}

pub(crate) const GETSET: Command = Command {
    spec: CommandSpec::new(
        "getset",
        Group::String,
        Arity::Exactly(3),
        "Returns the previous string value of a key after setting it to a new value.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .syntax("key value"),
    run: getset,
};

/// GETSET key value
fn getset(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let value = args.bytes()?;

    match database.string(key)? {
        Some(old) => write_string(reply, &old),
        None => reply.null(),
    }
    database.set_string(key, value, Expiry::Clear);
    database.changed(EventKind::SET, key);
    Ok(())
}

pub(crate) const GETEX: Command = Command {
    spec: CommandSpec::new(
        "getex",
        Group::String,
        Arity::AtLeast(2),
        "Returns the string value of a key after setting its expiration time.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .since("6.2.0")
    .syntax(
        "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
    ),
    run: getex,
};

enum NewExpiry<'a> {
    Unchanged,
    None,
    /// The amount is read only when there is a key that could end.
    At(Time, Args<'a>),
}

/// GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]
fn getex(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let expiry = parse_new_expiry(&mut args)?;

    match database.string(key)? {
        Some(value) => write_string(reply, &value),
        None => {
            reply.null();
            return Ok(());
        }
    }
    match expiry {
        NewExpiry::Unchanged => {}
        NewExpiry::None => {
            if database.persist(key) {
                database.changed(EventKind::PERSIST, key);
            }
        }
        NewExpiry::At(time, mut amount) => {
            let amount = amount.integer()?;
            let at_ms = time.positive_moment(amount, database.now_ms(), "getex")?;
            end_at(database, key, at_ms);
        }
    }
    Ok(())
}

fn parse_new_expiry<'a>(args: &mut Args<'a>) -> Result<NewExpiry<'a>> {
    if args.is_empty() {
        return Ok(NewExpiry::Unchanged);
    }
    let expiry = if args.keyword("PERSIST") {
        NewExpiry::None
    } else {
        let time = Time::parse(args).ok_or(ArgError::Syntax)?;
        let amount = *args;
        args.bytes()?;
        NewExpiry::At(time, amount)
    };
    args.finish()?;
    Ok(expiry)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn a_missing_key_has_no_value_and_a_list_is_no_string() {
        assert_eq!(run("GET nosuch"), Reply::Null);
        assert_eq!(run("SET n 007 \n GET n"), bulk("007"));
        assert_eq!(run("SET n 42 \n GET n"), bulk("42"));
    }

    #[test]
    fn getdel_gives_the_value_a_last_time() {
        assert_eq!(run("SET k v \n GETDEL k"), bulk("v"));
        assert_eq!(run("SET k v \n GETDEL k \n GET k"), Reply::Null);
    }

    #[test]
    fn getex_moves_the_end_or_takes_it_away() {
        assert_eq!(run("SET k v \n GETEX k EX 100 \n TTL k"), Reply::Integer(100));
        assert_eq!(run("SET k v EX 50 \n GETEX k PERSIST \n TTL k"), Reply::Integer(-1));
        assert_eq!(
            run("SET k v \n GETEX k EX 0"),
            error("ERR invalid expire time in 'getex' command")
        );
        assert_eq!(run("SET k v \n GETEX k PXAT 1 \n EXISTS k"), Reply::Integer(0));
    }
}
