//! The options that SCAN and its kin for hashes, sets and sorted sets share.

use command_spec::{ArgError, Args};

use crate::{Error, Result, glob};

pub(crate) struct ScanOptions<'a> {
    pub(crate) pattern: Option<&'a [u8]>,
    pub(crate) count: usize,
}

impl Default for ScanOptions<'_> {
    fn default() -> Self {
        ScanOptions { pattern: None, count: 10 }
    }
}

impl<'a> ScanOptions<'a> {
    /// Takes one option; false if the next argument is none of these.
    pub(crate) fn parse_one(&mut self, args: &mut Args<'a>) -> Result<bool> {
        if args.keyword("MATCH") {
            let pattern = args.bytes()?;
            self.pattern = (pattern != b"*").then_some(pattern);
        } else if args.keyword("COUNT") {
            let count = args.integer()?;
            if count < 1 {
                return Err(Error::Argument(ArgError::Syntax).into());
            }
            self.count = count as usize;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All options up to the end.
    pub(crate) fn parse(mut args: Args<'a>) -> Result<Self> {
        let mut options = ScanOptions::default();
        while !args.is_empty() {
            if !options.parse_one(&mut args)? {
                return Err(Error::Argument(ArgError::Syntax).into());
            }
        }
        Ok(options)
    }

    pub(crate) fn allows(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

pub(crate) fn parse_cursor(text: &[u8]) -> Result<u64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::text("ERR invalid cursor").into())
}
