use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use resp::ReplyWriter;

use crate::expire_option::Time;
use crate::reply::write_string;
use crate::{Command, Error, Result};

pub(crate) const SET: Command = Command {
    spec: CommandSpec::new(
        "set",
        Group::String,
        Arity::AtLeast(3),
        "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .syntax(
        "key value [NX|XX] [GET] \
         [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
    ),
    run: set,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    Absent,
    Present,
}

struct Options {
    condition: Condition,
    get: bool,
    keep_ttl: bool,
    expiry: Option<(Time, i64)>,
}

/// SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT … | PXAT … | KEEPTTL]
fn set(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let value = args.bytes()?;
    if args.is_empty() {
        database.set_string(key, value, Expiry::Clear);
        database.changed(EventKind::SET, key);
        reply.ok();
        return Ok(());
    }
    let options = parse_options(&mut args)?;
    let now_ms = database.now_ms();
    let expiry = match options.expiry {
        Some((time, amount)) => Expiry::At(time.positive_moment(amount, now_ms, "set")?),
        None if options.keep_ttl => Expiry::Keep,
        None => Expiry::Clear,
    };

    if options.get {
        match database.string(key)? {
            Some(old) => write_string(reply, &old),
            None => reply.null(),
        }
    }
    let refused = match options.condition {
        Condition::Always => false,
        Condition::Absent => database.contains(key),
        Condition::Present => !database.contains(key),
    };
    if refused {
        if !options.get {
            reply.null();
        }
        return Ok(());
    }
    database.set_string(key, value, expiry);
    database.changed(EventKind::SET, key);
    if matches!(expiry, Expiry::At(_)) {
        database.notify(EventKind::EXPIRE, key);
    }
    if !options.get {
        reply.ok();
    }
    Ok(())
}

fn parse_options(args: &mut Args) -> Result<Options> {
    let mut options =
        Options { condition: Condition::Always, get: false, keep_ttl: false, expiry: None };
    while !args.is_empty() {
        let free = options.expiry.is_none() && !options.keep_ttl;
        if options.condition != Condition::Present && args.keyword("NX") {
            options.condition = Condition::Absent;
        } else if options.condition != Condition::Absent && args.keyword("XX") {
            options.condition = Condition::Present;
        } else if args.keyword("GET") {
            options.get = true;
        } else if options.expiry.is_none() && args.keyword("KEEPTTL") {
            options.keep_ttl = true;
        } else if free && let Some(time) = Time::parse(args) {
            options.expiry = Some((time, args.integer()?));
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    Ok(options)
}

pub(crate) const SETNX: Command = Command {
    spec: CommandSpec::new(
        "setnx",
        Group::String,
        Arity::Exactly(3),
        "Sets the string value of a key only when the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["OW insert"])
    .syntax("key value"),
    run: setnx,
};

/// SETNX key value
fn setnx(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let value = args.bytes()?;

    let absent = !database.contains(key);
    if absent {
        database.set_string(key, value, Expiry::Clear);
        database.changed(EventKind::SET, key);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

pub(crate) const SETEX: Command = Command {
    spec: CommandSpec::new(
        "setex",
        Group::String,
        Arity::Exactly(4),
        "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .key_flags(&["OW update"])
    .since("2.0.0")
    .syntax("key seconds value"),
    run: |database, args, reply| set_for(database, args, reply, Time::Seconds, "setex"),
};

pub(crate) const PSETEX: Command = Command {
    spec: CommandSpec::new(
        "psetex",
        Group::String,
        Arity::Exactly(4),
        "Sets both string value and expiration time in milliseconds of a key. The key is created if it doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First).key_flags(&["OW update"])
    .since("2.6.0")
    .syntax("key milliseconds value"),
    run: |database, args, reply| set_for(database, args, reply, Time::Milliseconds, "psetex"),
};

fn set_for(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    time: Time,
    command: &'static str,
) -> Result {
    let key = args.bytes()?;
    let amount = args.integer()?;
    let value = args.bytes()?;
    let at_ms = time.positive_moment(amount, database.now_ms(), command)?;

    database.set_string(key, value, Expiry::At(at_ms));
    database.changed(EventKind::SET, key);
    database.notify(EventKind::EXPIRE, key);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    #[test]
    fn nx_and_xx_look_before_they_write() {
        assert_eq!(run("SET k 1 NX"), Reply::Simple(b"OK".to_vec()));
        assert_eq!(run("SET k 1 \n SET k 2 NX"), Reply::Null);
        assert_eq!(run("SET k 1 XX"), Reply::Null);
        assert_eq!(run("SET k 1 NX XX"), error("ERR syntax error"));
    }

    #[test]
    fn get_answers_with_the_old_value_even_when_the_write_is_refused() {
        assert_eq!(run("SET k old \n SET k new NX GET"), bulk("old"));
        assert_eq!(run("SET k old \n SET k new GET \n GET k"), bulk("new"));
        assert_eq!(run("SET k new GET"), Reply::Null);
    }

    #[test]
    fn a_plain_set_clears_the_ttl_and_keepttl_keeps_it() {
        assert_eq!(run("SET k v EX 100 \n SET k w \n TTL k"), Reply::Integer(-1));
        assert_eq!(run("SET k v EX 100 \n SET k w KEEPTTL \n TTL k"), Reply::Integer(100));
        assert_eq!(run("SET k v EX 10 KEEPTTL"), error("ERR syntax error"));
    }

    #[test]
    fn times_must_be_positive_and_fit() {
        assert_eq!(run("SET k v EX 0"), error("ERR invalid expire time in 'set' command"));
        assert_eq!(
            run("SET k v EX 9223372036854775807"),
            error("ERR invalid expire time in 'set' command")
        );
        assert_eq!(run("SET k v PX abc"), error("ERR value is not an integer or out of range"));
        assert_eq!(run("SETEX k -1 v"), error("ERR invalid expire time in 'setex' command"));
    }
}
