use std::ops::Range;

use command_spec::{ArgError, Args};

use super::pattern::Pattern;
use crate::Result;

/// What a SORT asks for.
pub(super) struct Sort<'a> {
    pub(super) order: Order<'a>,
    pub(super) descending: bool,
    /// What to show of each element: nothing said is the element itself.
    pub(super) shown: Vec<Pattern<'a>>,
    pub(super) destination: Option<&'a [u8]>,
    offset: usize,
    count: Option<usize>,
}

#[derive(Clone, Copy)]
pub(super) enum Order<'a> {
    /// BY a pattern without a star: one key for all cannot order them.
    AsStored,
    Numbers(Pattern<'a>),
    Texts(Pattern<'a>),
}

impl<'a> Sort<'a> {
    pub(super) fn parse(mut args: Args<'a>) -> Result<Self> {
        let mut words = Words::default();
        let mut destination = None;
        while !args.is_empty() {
            if args.keyword("STORE") {
                destination = Some(args.bytes()?);
            } else {
                words.parse_one(&mut args)?;
            }
        }
        Ok(Sort { destination, ..words.into() })
    }

    pub(super) fn parse_read_only(mut args: Args<'a>) -> Result<Self> {
        let mut words = Words::default();
        while !args.is_empty() {
            words.parse_one(&mut args)?;
        }
        Ok(words.into())
    }

    /// The elements within LIMIT, of as many.
    pub(super) fn within(&self, len: usize) -> Range<usize> {
        let start = self.offset.min(len);
        let end = self.count.map_or(len, |count| start.saturating_add(count).min(len));
        start..end
    }
}

/// The options as they are said.
#[derive(Default)]
struct Words<'a> {
    by: Option<&'a [u8]>,
    alpha: bool,
    descending: bool,
    shown: Vec<Pattern<'a>>,
    offset: i64,
    count: Option<i64>,
}

impl<'a> Words<'a> {
    fn parse_one(&mut self, args: &mut Args<'a>) -> Result {
        if args.keyword("ASC") {
            self.descending = false;
        } else if args.keyword("DESC") {
            self.descending = true;
        } else if args.keyword("ALPHA") {
            self.alpha = true;
        } else if args.len() > 2 && args.keyword("LIMIT") {
            self.offset = args.integer()?;
            self.count = Some(args.integer()?);
        } else if args.keyword("BY") {
            self.by = Some(args.bytes()?);
        } else if args.keyword("GET") {
            self.shown.push(Pattern::parse(args.bytes()?));
        } else {
            return Err(ArgError::Syntax.into());
        }
        Ok(())
    }
}

impl<'a> From<Words<'a>> for Sort<'a> {
    fn from(words: Words<'a>) -> Self {
        let order = match words.by {
            Some(by) if !by.contains(&b'*') => Order::AsStored,
            by => {
                let by = by.map_or(Pattern::Element, Pattern::parse);
                if words.alpha { Order::Texts(by) } else { Order::Numbers(by) }
            }
        };
        Sort {
            order,
            descending: words.descending,
            shown: words.shown,
            destination: None,
            offset: words.offset.max(0) as usize,
            // A negative count is no limit.
            count: words.count.and_then(|count| usize::try_from(count).ok()),
        }
    }
}
