use std::fmt;

/// The arguments of one request, read from left to right. The command's own name is not among them.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    items: &'a [&'a [u8]],
}

/// An argument that cannot be read as what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgError {
    Syntax,
    NotInteger,
    /// An integer that 32 bits cannot hold.
    NotSmall,
    NotFloat,
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArgError::Syntax => "ERR syntax error",
            ArgError::NotInteger => "ERR value is not an integer or out of range",
            ArgError::NotSmall => {
                "ERR value is out of range, value must between -2147483648 and 2147483647"
            }
            ArgError::NotFloat => "ERR value is not a valid float",
        })
    }
}

impl<'a> Args<'a> {
    pub fn new(items: &'a [&'a [u8]]) -> Self {
        Args { items }
    }

    /// The next argument as it is.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], ArgError> {
        let (first, rest) = self.items.split_first().ok_or(ArgError::Syntax)?;
        self.items = rest;
        Ok(first)
    }

    pub fn integer(&mut self) -> Result<i64, ArgError> {
        parse_integer(self.bytes()?).ok_or(ArgError::NotInteger)
    }

    /// An integer of 32 bits, as Redis reads the numbers of databases.
    pub fn small_integer(&mut self) -> Result<i32, ArgError> {
        i32::try_from(self.integer()?).map_err(|_| ArgError::NotSmall)
    }

    /// An integer that must lie in a range; outside it, the text is as for what is no integer at all.
    pub fn integer_in(&mut self, range: impl std::ops::RangeBounds<i64>) -> Result<i64, ArgError> {
        let value = self.integer()?;
        if range.contains(&value) { Ok(value) } else { Err(ArgError::NotInteger) }
    }

    /// Takes the next argument if it is this word, whatever its case.
    pub fn keyword(&mut self, word: &str) -> bool {
        match self.items.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(word.as_bytes()) => {
                self.items = rest;
                true
            }
            _ => false,
        }
    }

    /// The next argument without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.items.first().copied()
    }

    /// The last argument, taken from the end (timeouts and destinations stand there).
    pub fn last(&mut self) -> Result<&'a [u8], ArgError> {
        let (last, rest) = self.items.split_last().ok_or(ArgError::Syntax)?;
        self.items = rest;
        Ok(last)
    }

    /// The next `count` arguments.
    pub fn take(&mut self, count: usize) -> Result<&'a [&'a [u8]], ArgError> {
        let (taken, rest) = self.items.split_at_checked(count).ok_or(ArgError::Syntax)?;
        self.items = rest;
        Ok(taken)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [&'a [u8]] {
        std::mem::take(&mut self.items)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), ArgError> {
        if self.items.is_empty() { Ok(()) } else { Err(ArgError::Syntax) }
    }
}

/// As the wire's integers: no `+`, no blanks, no leading zeros.
fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => digits.len() <= 19,
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_in_order_and_all_of_them() {
        let items: [&[u8]; 4] = [b"key", b"12", b"withscores", b"end"];
        let mut args = Args::new(&items);
        assert_eq!(args.bytes(), Ok(&b"key"[..]));
        assert_eq!(args.integer(), Ok(12));
        assert!(!args.keyword("LIMIT"));
        assert!(args.keyword("WITHSCORES"));
        assert_eq!(args.finish(), Err(ArgError::Syntax));
        assert_eq!(args.last(), Ok(&b"end"[..]));
        assert_eq!(args.bytes(), Err(ArgError::Syntax));
        assert_eq!(args.finish(), Ok(()));
    }

    #[test]
    fn only_canonical_integers_are_integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("-0", None),
            ("+1", None),
            ("007", None),
            ("", None),
        ] {
            assert_eq!(parse_integer(text.as_bytes()), value, "{text}");
        }
        assert_eq!(parse_integer(b"9223372036854775808"), None);
    }
}
