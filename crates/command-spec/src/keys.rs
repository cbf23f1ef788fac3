/// Where a command's keys stand among its arguments. Positions count from the command's name (0), as in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    None,
    /// The first argument.
    First,
    /// From `first` to `last` (negative: from the end) in steps.
    Range {
        first: usize,
        last: i32,
        step: usize,
    },
    /// A count at `at`, then as many keys. `also`: a further key at a fixed place (a destination).
    Counted {
        at: usize,
        also: Option<usize>,
    },
    /// After the word STREAMS: the first half of what follows.
    AfterStreams {
        from: usize,
    },
    /// SORT's: the first argument, and the one after the last STORE. The keys that its patterns make cannot be told.
    FirstAndStore,
    /// GEORADIUS's: the first argument, and the one after the last STORE or STOREDIST from this position on.
    FirstAndStoreFrom(usize),
}

/// Why a command's keys cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    NoKeys,
    BadArguments,
}

impl Keys {
    pub const ALL: Keys = Keys::Range { first: 1, last: -1, step: 1 };

    /// Positions of the keys in `request`, the command's name being element 0.
    pub fn positions(self, request: &[&[u8]]) -> Result<Vec<usize>, KeyError> {
        match self {
            Keys::None => Err(KeyError::NoKeys),
            Keys::First => Keys::Range { first: 1, last: 1, step: 1 }.positions(request),
            Keys::Range { first, last, step } => {
                let last =
                    if last < 0 { request.len() as i64 + i64::from(last) } else { i64::from(last) };
                let last = usize::try_from(last).map_err(|_| KeyError::BadArguments)?;
                if first > last || last >= request.len() {
                    return Err(KeyError::BadArguments);
                }
                Ok((first..=last).step_by(step).collect())
            }
            Keys::Counted { at, also } => {
                let count = request
                    .get(at)
                    .and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
                let count = count.ok_or(KeyError::BadArguments)?;
                let end = (at + 1).checked_add(count).ok_or(KeyError::BadArguments)?;
                if count == 0 || end > request.len() {
                    return Err(KeyError::BadArguments);
                }
                Ok(also.into_iter().chain(at + 1..end).collect())
            }
            Keys::AfterStreams { from } => {
                let word = request
                    .iter()
                    .skip(from)
                    .position(|word| word.eq_ignore_ascii_case(b"streams"));
                let start = word.ok_or(KeyError::BadArguments)? + from + 1;
                let rest = request.len() - start;
                if rest == 0 || !rest.is_multiple_of(2) {
                    return Err(KeyError::BadArguments);
                }
                Ok((start..start + rest / 2).collect())
            }
            Keys::FirstAndStore => {
                let first = Keys::First.positions(request)?;
                Ok(first.into_iter().chain(store_position(request)).collect())
            }
            Keys::FirstAndStoreFrom(from) => {
                let first = Keys::First.positions(request)?;
                let is_store = |word: &[u8]| {
                    word.eq_ignore_ascii_case(b"store") || word.eq_ignore_ascii_case(b"storedist")
                };
                // The last word cannot be followed by a key.
                let options = from..request.len().saturating_sub(1);
                let store = options.rev().find(|&at| is_store(request[at]));
                Ok(first.into_iter().chain(store.map(|at| at + 1)).collect())
            }
        }
    }

    /// First, last and step, as COMMAND has always said it; (0, 0, 0) where these cannot tell.
    pub fn legacy(self) -> (i64, i64, i64) {
        match self {
            Keys::None | Keys::AfterStreams { .. } => (0, 0, 0),
            Keys::First | Keys::FirstAndStore | Keys::FirstAndStoreFrom(_) => (1, 1, 1),
            Keys::Range { first, last, step } => (first as i64, i64::from(last), step as i64),
            Keys::Counted { also: Some(at), .. } => (at as i64, at as i64, 1),
            Keys::Counted { also: None, .. } => (0, 0, 0),
        }
    }

    pub const fn are_movable(self) -> bool {
        matches!(
            self,
            Keys::Counted { .. }
                | Keys::AfterStreams { .. }
                | Keys::FirstAndStore
                | Keys::FirstAndStoreFrom(_)
        )
    }
}

/// Where SORT's destination stands: a STORE that is itself a pattern or a number of LIMIT does not count.
fn store_position(request: &[&[u8]]) -> Option<usize> {
    let mut found = None;
    let mut at = 2;
    while at < request.len() {
        let word = request[at];
        at += if word.eq_ignore_ascii_case(b"limit") {
            3
        } else if word.eq_ignore_ascii_case(b"by") || word.eq_ignore_ascii_case(b"get") {
            2
        } else if word.eq_ignore_ascii_case(b"store") && at + 1 < request.len() {
            found = Some(at + 1);
            2
        } else {
            1
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(keys: Keys, request: &str) -> Result<Vec<usize>, KeyError> {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        keys.positions(&words)
    }

    #[test]
    fn keys_are_found_by_every_rule() {
        assert_eq!(positions(Keys::First, "get a"), Ok(vec![1]));
        assert_eq!(positions(Keys::ALL, "del a b c"), Ok(vec![1, 2, 3]));
        assert_eq!(
            positions(Keys::Range { first: 1, last: -1, step: 2 }, "mset a 1 b 2"),
            Ok(vec![1, 3])
        );
        assert_eq!(
            positions(Keys::Counted { at: 2, also: Some(1) }, "zunionstore d 2 a b weights"),
            Ok(vec![1, 3, 4])
        );
        assert_eq!(
            positions(Keys::AfterStreams { from: 1 }, "xread count 2 streams a b 0 0"),
            Ok(vec![4, 5])
        );
    }

    #[test]
    fn a_sorted_list_may_be_stored() {
        assert_eq!(positions(Keys::FirstAndStore, "sort a desc"), Ok(vec![1]));
        assert_eq!(
            positions(Keys::FirstAndStore, "sort a store b by store STORE c"),
            Ok(vec![1, 7])
        );
        assert_eq!(positions(Keys::FirstAndStore, "sort a by store"), Ok(vec![1]));
    }

    #[test]
    fn what_is_found_on_a_map_may_be_stored() {
        let keys = Keys::FirstAndStoreFrom(5);
        assert_eq!(positions(keys, "georadiusbymember g store 1 m asc"), Ok(vec![1]));
        assert_eq!(
            positions(keys, "georadiusbymember g m 1 m store d STOREDIST e"),
            Ok(vec![1, 8])
        );
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let keys = Keys::Counted { at: 1, also: None };
        for request in [
            "sintercard 3 a b",
            "sintercard x a",
            "sintercard 0 a",
            "sintercard 18446744073709551615 a",
        ] {
            assert_eq!(positions(keys, request), Err(KeyError::BadArguments), "{request}");
        }
        assert_eq!(positions(Keys::None, "ping"), Err(KeyError::NoKeys));
        assert_eq!(
            positions(Keys::AfterStreams { from: 1 }, "xread streams a"),
            Err(KeyError::BadArguments)
        );
    }
}
