//! The options that XREAD and XREADGROUP share.

use command_spec::Args;

use crate::error::fail;
use crate::{Error, Result};

pub(super) struct ReadOptions {
    pub(super) count: usize,
    /// How long to wait for entries, 0 for ever; `None`: not at all.
    pub(super) block_ms: Option<i64>,
}

impl ReadOptions {
    pub(super) fn new() -> Self {
        ReadOptions { count: usize::MAX, block_ms: None }
    }

    /// Takes one option; false if the next argument is none of these.
    pub(super) fn parse_one(&mut self, args: &mut Args, now_ms: i64) -> Result<bool> {
        if args.len() < 2 {
            return Ok(false);
        }
        if args.keyword("BLOCK") {
            self.block_ms = Some(parse_timeout(args, now_ms)?);
        } else if args.keyword("COUNT") {
            // 0 and less mean all.
            let count = usize::try_from(args.integer()?).unwrap_or(0);
            self.count = if count == 0 { usize::MAX } else { count };
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

fn parse_timeout(args: &mut Args, now_ms: i64) -> Result<i64> {
    let timeout_ms =
        args.integer().map_err(|_| Error::text("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return fail("ERR timeout is negative");
    }
    if now_ms.checked_add(timeout_ms).is_none() {
        return fail("ERR timeout is out of range");
    }
    Ok(timeout_ms)
}

/// When a wait that begins now is over; never, if it may take 0 milliseconds.
pub(super) fn deadline_ms(block_ms: i64, now_ms: i64) -> Option<i64> {
    (block_ms > 0).then_some(now_ms + block_ms)
}

/// The keys, and for each where to begin.
#[derive(Clone, Copy)]
pub(super) struct Streams<'a> {
    pub(super) keys: &'a [&'a [u8]],
    pub(super) ids: &'a [&'a [u8]],
}

impl<'a> Streams<'a> {
    /// What follows STREAMS.
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self> {
        let words = args.rest();
        if !words.len().is_multiple_of(2) {
            return fail(
                "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
            );
        }
        let (keys, ids) = words.split_at(words.len() / 2);
        Ok(Streams { keys, ids })
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.keys.iter().copied().zip(self.ids.iter().copied())
    }
}
