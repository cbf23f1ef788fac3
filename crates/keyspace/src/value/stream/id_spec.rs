use super::StreamId;
use super::id::parse_number;

/// Which id a new entry asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdSpec {
    /// `*`
    Auto,
    /// `ms-*`
    AutoSeq(u64),
    Explicit(StreamId),
}

/// Why an entry cannot have the id it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Ids only grow.
    NotGreater,
    /// 0-0 stands for "before everything" and names no entry.
    Zero,
    /// The greatest id there is has been used.
    Exhausted,
}

impl IdSpec {
    pub fn parse(text: &[u8]) -> Option<IdSpec> {
        match text {
            b"*" => Some(IdSpec::Auto),
            [ms @ .., b'-', b'*'] => parse_number(ms).map(IdSpec::AutoSeq),
            _ => StreamId::parse(text, 0).map(IdSpec::Explicit),
        }
    }

    /// The id of the entry that follows `last`. A clock that went back does not take the ids back with it.
    pub(super) fn resolve(self, last: StreamId, now_ms: u64) -> Result<StreamId, IdError> {
        if self == IdSpec::Explicit(StreamId::MIN) {
            return Err(IdError::Zero);
        }
        let following = last.next().ok_or(IdError::Exhausted)?;
        let id = match self {
            IdSpec::Auto => following.max(StreamId::new(now_ms, 0)),
            // A full millisecond does not spill into the next one, which was not asked for: 0 is then too small.
            IdSpec::AutoSeq(ms) if ms == following.ms => following,
            IdSpec::AutoSeq(ms) => StreamId::new(ms, 0),
            IdSpec::Explicit(id) => id,
        };
        if id > last { Ok(id) } else { Err(IdError::NotGreater) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(ms: u64, seq: u64) -> StreamId {
        StreamId::new(ms, seq)
    }

    #[test]
    fn stars_ask_for_what_is_missing() {
        assert_eq!(IdSpec::parse(b"*"), Some(IdSpec::Auto));
        assert_eq!(IdSpec::parse(b"5-*"), Some(IdSpec::AutoSeq(5)));
        assert_eq!(IdSpec::parse(b"5"), Some(IdSpec::Explicit(id(5, 0))));
        for text in ["", "-", "+", "-*", "*-1", "**", "5-**", "(5"] {
            assert_eq!(IdSpec::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_clock_names_the_entry_unless_it_went_back() {
        assert_eq!(IdSpec::Auto.resolve(id(5, 3), 9), Ok(id(9, 0)));
        assert_eq!(IdSpec::Auto.resolve(id(5, 3), 5), Ok(id(5, 4)));
        assert_eq!(IdSpec::Auto.resolve(id(5, 3), 2), Ok(id(5, 4)));
        assert_eq!(IdSpec::Auto.resolve(id(5, u64::MAX), 5), Ok(id(6, 0)));
    }

    #[test]
    fn a_given_millisecond_gets_the_next_sequence() {
        assert_eq!(IdSpec::AutoSeq(0).resolve(StreamId::MIN, 9), Ok(id(0, 1)));
        assert_eq!(IdSpec::AutoSeq(5).resolve(id(5, 3), 9), Ok(id(5, 4)));
        assert_eq!(IdSpec::AutoSeq(6).resolve(id(5, 3), 9), Ok(id(6, 0)));
        assert_eq!(IdSpec::AutoSeq(4).resolve(id(5, 3), 9), Err(IdError::NotGreater));
        assert_eq!(IdSpec::AutoSeq(5).resolve(id(5, u64::MAX), 9), Err(IdError::NotGreater));
        assert_eq!(IdSpec::AutoSeq(6).resolve(id(5, u64::MAX), 9), Ok(id(6, 0)));
    }

    #[test]
    fn ids_only_grow() {
        assert_eq!(IdSpec::Explicit(id(5, 3)).resolve(id(5, 3), 9), Err(IdError::NotGreater));
        assert_eq!(IdSpec::Explicit(id(5, 4)).resolve(id(5, 3), 9), Ok(id(5, 4)));
    }

    #[test]
    fn neither_zero_nor_what_follows_the_last_id_can_be_had() {
        assert_eq!(IdSpec::Explicit(StreamId::MIN).resolve(StreamId::MAX, 9), Err(IdError::Zero));
        assert_eq!(IdSpec::Explicit(id(1, 1)).resolve(StreamId::MAX, 9), Err(IdError::Exhausted));
        assert_eq!(IdSpec::Auto.resolve(StreamId::MAX, 9), Err(IdError::Exhausted));
    }
}
