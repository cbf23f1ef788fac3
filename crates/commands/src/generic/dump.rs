use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Expiry};
use persist::Forms;
use resp::{ReplyWriter, parse_integer};

use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const DUMP: Command = Command {
    spec: CommandSpec::new(
        "dump",
        Group::Generic,
        Arity::Exactly(2),
        "Returns the value of a key in the form that RESTORE takes.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key"),
    run: dump,
};

/// DUMP key
fn dump(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;

    match database.read(key) {
        Some(value) => reply.bulk(&persist::dump(value)),
        None => reply.null(),
    }
    Ok(())
}

pub(crate) const RESTORE: Command = Command {
    spec: CommandSpec::new(
        "restore",
        Group::Generic,
        Arity::AtLeast(4),
        "Creates a key from the value that DUMP returned.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .categories(&["@keyspace", "@dangerous"])
    .keys(Keys::First)
    .since("2.6.0")
    .syntax("key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"),
    run: restore,
};

/// What says how recently or how often a key was used.
#[derive(Clone, Copy)]
enum Access {
    IdleSeconds(i64),
    Frequency(u8),
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
fn restore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let ttl = args.bytes()?;
    let payload = args.bytes()?;
    let (mut replace, mut is_absolute, mut access) = (false, false, None);
    while !args.is_empty() {
        let has_value = args.len() > 1;
        if args.keyword("REPLACE") {
            replace = true;
        } else if args.keyword("ABSTTL") {
            is_absolute = true;
        } else if has_value
            && !matches!(access, Some(Access::Frequency(_)))
            && args.keyword("IDLETIME")
        {
            let seconds = args.integer()?;
            if seconds < 0 {
                return fail("ERR Invalid IDLETIME value, must be >= 0");
            }
            access = Some(Access::IdleSeconds(seconds));
        } else if has_value
            && !matches!(access, Some(Access::IdleSeconds(_)))
            && args.keyword("FREQ")
        {
            let Ok(frequency) = u8::try_from(args.integer()?) else {
                return fail("ERR Invalid FREQ value, must be >= 0 and <= 255");
            };
            access = Some(Access::Frequency(frequency));
        } else {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    if !replace && database.contains(key) {
        return fail("BUSYKEY Target key name already exists.");
    }
    let ttl = parse_integer(ttl).ok_or(Error::Argument(ArgError::NotInteger))?;
    if ttl < 0 {
        return fail("ERR Invalid TTL value, must be >= 0");
    }
    let forms = Forms { limits: database.limits(), stream: database.stream_limits() };
    let value = persist::restore(payload, &forms)
        .map_err(|error| Error::Text(format!("ERR {error}").into()))?;

    let expiry = match (ttl, is_absolute) {
        (0, _) => Expiry::Clear,
        (ttl, true) => Expiry::At(ttl),
        (ttl, false) => Expiry::At(database.now_ms().saturating_add(ttl)),
    };
    if matches!(expiry, Expiry::At(ms) if ms <= database.now_ms()) {
        database.delete_lazily(key);
        reply.ok();
        return Ok(());
    }
    // A new key, not a new value: nothing of the old one may stay.
    database.unlink(key);
    database.insert_value(key, value, expiry);
    match access {
        Some(Access::IdleSeconds(seconds)) => {
            database.set_idle_seconds(key, u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        Some(Access::Frequency(frequency)) => drop(database.set_frequency(key, frequency)),
        None => {}
    }
    database.changed(EventKind::RESTORE, key);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    /// The string `v`, as Redis 7.0 dumps it.
    const V: &str = r#""\x00\x01v\x0a\x00\x91\x08\xce\xb2\x198\x8a\xce""#;

    #[test]
    fn what_was_dumped_is_restored() {
        assert_eq!(run(&format!("RESTORE k 0 {V} \n GET k")), bulk("v"));
        assert_eq!(run(&format!("RESTORE k 5000 {V} \n PTTL k")), Reply::Integer(5000));
        assert_eq!(events(&format!("RESTORE k 0 {V}")), ["restore k"]);
        assert_eq!(run("DUMP nosuch"), Reply::Null);
        let Reply::Bulk(payload) = run("SET k v \n DUMP k") else { panic!("a payload") };
        assert_eq!(format!("\"{}\"", payload.escape_ascii()).replace("\\n", "\\x0a"), V);
    }

    #[test]
    fn what_is_there_is_only_replaced_if_told_so() {
        let busy = error("BUSYKEY Target key name already exists.");
        assert_eq!(run(&format!("SET k old \n RESTORE k 0 {V}")), busy);
        assert_eq!(run(&format!("SET k old \n RESTORE k 0 {V} REPLACE \n GET k")), bulk("v"));
        let expired = format!("SET k old \n RESTORE k 1 {V} REPLACE ABSTTL");
        assert_eq!(events(&expired), ["del k"]);
        assert_eq!(run(&format!("{expired} \n EXISTS k")), Reply::Integer(0));
    }

    #[test]
    fn options_are_checked_before_the_payload() {
        assert_eq!(run("RESTORE k -1 x"), error("ERR Invalid TTL value, must be >= 0"));
        assert_eq!(run("RESTORE k 0 x"), error("ERR DUMP payload version or checksum are wrong"));
        assert_eq!(
            run("RESTORE k 0 x FREQ 256"),
            error("ERR Invalid FREQ value, must be >= 0 and <= 255")
        );
        assert_eq!(run("RESTORE k 0 x FREQ 1 IDLETIME 1"), error("ERR syntax error"));
        assert_eq!(run("RESTORE k 0 x IDLETIME"), error("ERR syntax error"));
    }
}
