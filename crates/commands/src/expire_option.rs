//! When a key is to end, as SET, GETEX and the EXPIRE family say it.

use command_spec::Args;
use keyspace::{Database, EventKind};

use crate::{Error, Result};

/// The unit and the origin of a time in an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Time {
    /// EX | PX | EXAT | PXAT, if the next argument is one of them. The amount follows.
    pub(crate) fn parse(args: &mut Args) -> Option<Time> {
        Some(if args.keyword("EX") {
            Time::Seconds
        } else if args.keyword("PX") {
            Time::Milliseconds
        } else if args.keyword("EXAT") {
            Time::UnixSeconds
        } else if args.keyword("PXAT") {
            Time::UnixMilliseconds
        } else {
            return None;
        })
    }

    /// The moment in Unix milliseconds. `None` when it does not fit into 64 bits.
    pub(crate) fn moment(self, amount: i64, now_ms: i64) -> Option<i64> {
        match self {
            Time::Seconds => amount.checked_mul(1000)?.checked_add(now_ms),
            Time::Milliseconds => amount.checked_add(now_ms),
            Time::UnixSeconds => amount.checked_mul(1000),
            Time::UnixMilliseconds => Some(amount),
        }
    }

    /// As [`Time::moment`], for commands that refuse times that are not positive.
    pub(crate) fn positive_moment(
        self,
        amount: i64,
        now_ms: i64,
        command: &'static str,
    ) -> Result<i64> {
        let moment = if amount > 0 { self.moment(amount, now_ms) } else { None };
        moment.ok_or_else(|| invalid_time(command).into())
    }
}

/// Gives a key an end; one that has passed already is its end at once.
pub(crate) fn end_at(database: &mut Database, key: &[u8], at_ms: i64) {
    if at_ms <= database.now_ms() {
        database.delete(key);
    } else {
        database.set_expiry(key, at_ms);
        database.changed(EventKind::EXPIRE, key);
    }
}

pub(crate) fn invalid_time(command: &'static str) -> Error {
    Error::Text(format!("ERR invalid expire time in '{command}' command").into())
}
