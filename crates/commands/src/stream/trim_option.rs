//! The options that XADD and XTRIM share.

use command_spec::Args;
use keyspace::value::stream::{BlockLimits, Trim, TrimPrecision};

use super::id::parse_id;
use crate::Result;
use crate::error::fail;

#[derive(Default)]
pub(super) struct TrimOptions {
    trim: Option<Trim>,
    /// `~`
    approximate: bool,
    limit: Option<usize>,
}

impl TrimOptions {
    /// Takes one option; false if the next argument is none of these.
    pub(super) fn parse_one(&mut self, args: &mut Args) -> Result<bool> {
        // A word with nothing behind it is no option: to XADD it is where the id should be.
        if args.len() < 2 {
            return Ok(false);
        }
        if args.keyword("MAXLEN") {
            self.begin_trim(args)?;
            self.trim = match usize::try_from(args.integer()?) {
                Ok(len) => Some(Trim::MaxLen(len)),
                Err(_) => return fail("ERR The MAXLEN argument must be >= 0."),
            };
        } else if args.keyword("MINID") {
            self.begin_trim(args)?;
            self.trim = Some(Trim::MinId(parse_id(args.bytes()?)?));
        } else if args.keyword("LIMIT") {
            self.limit = match usize::try_from(args.integer()?) {
                Ok(limit) => Some(limit),
                Err(_) => return fail("ERR The LIMIT argument must be >= 0."),
            };
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn begin_trim(&mut self, args: &mut Args) -> Result {
        if self.trim.is_some() {
            return fail(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            );
        }
        if args.len() > 1 {
            self.approximate = args.keyword("~");
            if !self.approximate {
                args.keyword("=");
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, limits: BlockLimits) -> Result<Option<(Trim, TrimPrecision)>> {
        if self.trim.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return fail(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            );
        }
        if self.limit.is_some() && !self.approximate {
            return fail("ERR syntax error, LIMIT cannot be used without the special ~ option");
        }
        let precision = if self.approximate {
            let limit = self.limit.unwrap_or_else(|| limits.trim_limit());
            TrimPrecision::Approximate { limit: (limit > 0).then_some(limit) }
        } else {
            TrimPrecision::Exact
        };
        Ok(self.trim.map(|trim| (trim, precision)))
    }

    /// For XTRIM, which has nothing else to do.
    pub(super) fn finish_required(self, limits: BlockLimits) -> Result<(Trim, TrimPrecision)> {
        const MISSING: &str = "ERR syntax error, XTRIM must be called with a trimming strategy";
        if self.trim.is_none() && self.limit.unwrap_or(0) == 0 {
            return fail(MISSING);
        }
        match self.finish(limits)? {
            Some(trim) => Ok(trim),
            None => fail(MISSING),
        }
    }
}
