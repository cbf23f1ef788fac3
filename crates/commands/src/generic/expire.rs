use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use crate::error::fail;
use crate::expire_option::{Time, end_at, invalid_time};
use crate::{Command, Error, Result};

macro_rules! expire_command {
    ($constant:ident, $name:literal, $since:literal, $unit:literal, $time:expr, $summary:literal) => {
        pub(crate) const $constant: Command = Command {
            spec: CommandSpec::new($name, Group::Generic, Arity::AtLeast(3), $summary)
                .flags(Flags::WRITE.and(Flags::FAST))
                .keys(Keys::First)
                .key_flags(&["RW update"])
                .since($since)
                .syntax(concat!("key ", $unit, " [NX|XX|GT|LT]")),
            run: |database, args, reply| expire(database, args, reply, $time, $name),
        };
    };
}

expire_command!(
    EXPIRE,
    "expire",
    "1.0.0",
    "seconds",
    Time::Seconds,
    "Sets the expiration time of a key in seconds."
);
expire_command!(
    PEXPIRE,
    "pexpire",
    "2.6.0",
    "milliseconds",
    Time::Milliseconds,
    "Sets the expiration time of a key in milliseconds."
);
expire_command!(
    EXPIREAT,
    "expireat",
    "1.2.0",
    "unix-time-seconds",
    Time::UnixSeconds,
    "Sets the expiration time of a key to a Unix timestamp."
);
expire_command!(
    PEXPIREAT,
    "pexpireat",
    "2.6.0",
    "unix-time-milliseconds",
    Time::UnixMilliseconds,
    "Sets the expiration time of a key to a Unix milliseconds timestamp."
);

#[derive(Default)]
struct Conditions {
    /// NX: only a key without an end.
    unset: bool,
    /// XX: only a key with an end.
    set: bool,
    /// GT: only to a later end; no end is the latest.
    later: bool,
    /// LT: only to an earlier end.
    earlier: bool,
}

impl Conditions {
    fn parse(args: &mut Args) -> Result<Self> {
        let mut conditions = Conditions::default();
        while let Some(word) = args.peek() {
            if args.keyword("NX") {
                conditions.unset = true;
            } else if args.keyword("XX") {
                conditions.set = true;
            } else if args.keyword("GT") {
                conditions.later = true;
            } else if args.keyword("LT") {
                conditions.earlier = true;
            } else {
                let text = format!("ERR Unsupported option {}", String::from_utf8_lossy(word));
                return Err(Error::Text(text.into()).into());
            }
        }
        if conditions.unset && (conditions.set || conditions.later || conditions.earlier) {
            return fail("ERR NX and XX, GT or LT options at the same time are not compatible");
        }
        if conditions.later && conditions.earlier {
            return fail("ERR GT and LT options at the same time are not compatible");
        }
        Ok(conditions)
    }

    fn allow(&self, old: Option<i64>, new: i64) -> bool {
        let refused = (self.unset && old.is_some())
            || (self.set && old.is_none())
            || (self.later && old.is_none_or(|old| new <= old))
            || (self.earlier && old.is_some_and(|old| new >= old));
        !refused
    }
}

fn expire(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    time: Time,
    command: &'static str,
) -> Result {
    let key = args.bytes()?;
    let amount = args.bytes()?;
    let conditions = Conditions::parse(&mut args)?;
    let amount = Args::new(&[amount]).integer()?;
    let at_ms = time.moment(amount, database.now_ms()).ok_or_else(|| invalid_time(command))?;

    let allowed = match database.expiry(key) {
        None => false,
        Some(old) => conditions.allow(old, at_ms),
    };
    if allowed {
        end_at(database, key, at_ms);
    }
    reply.integer(i64::from(allowed));
    Ok(())
}

pub(crate) const PERSIST: Command = Command {
    spec: CommandSpec::new(
        "persist",
        Group::Generic,
        Arity::Exactly(2),
        "Removes the expiration time of a key.",
    )
    .flags(Flags::WRITE.and(Flags::FAST))
    .keys(Keys::First)
    .key_flags(&["RW update"])
    .since("2.2.0")
    .syntax("key"),
    run: persist,
};

/// PERSIST key
fn persist(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    let persisted = database.persist(key);
    if persisted {
        database.changed(EventKind::PERSIST, key);
    }
    reply.integer(i64::from(persisted));
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    #[test]
    fn an_end_in_the_past_deletes_at_once() {
        assert_eq!(run("SET k v \n EXPIRE k -1 \n EXISTS k"), Reply::Integer(0));
        assert_eq!(run("EXPIRE nosuch 10"), Reply::Integer(0));
    }

    #[test]
    fn conditions_compare_the_old_end_with_the_new() {
        assert_eq!(run("SET k v \n EXPIRE k 10 XX"), Reply::Integer(0));
        assert_eq!(run("SET k v EX 5 \n EXPIRE k 10 NX"), Reply::Integer(0));
        assert_eq!(run("SET k v EX 5 \n EXPIRE k 10 GT \n TTL k"), Reply::Integer(10));
        assert_eq!(run("SET k v \n EXPIRE k 10 GT"), Reply::Integer(0));
        assert_eq!(run("SET k v \n EXPIRE k 10 LT"), Reply::Integer(1));
        assert_eq!(
            run("SET k v \n EXPIRE k 10 NX GT"),
            error("ERR NX and XX, GT or LT options at the same time are not compatible")
        );
        assert_eq!(run("SET k v \n EXPIRE k 10 AB"), error("ERR Unsupported option AB"));
    }

    #[test]
    fn ends_beyond_sixty_four_bits_are_refused() {
        assert_eq!(
            run("SET k v \n EXPIRE k 9223372036854775807"),
            error("ERR invalid expire time in 'expire' command")
        );
    }

    #[test]
    fn persist_takes_the_end_away() {
        assert_eq!(run("SET k v EX 5 \n PERSIST k \n TTL k"), Reply::Integer(-1));
        assert_eq!(run("SET k v \n PERSIST k"), Reply::Integer(0));
    }
}
