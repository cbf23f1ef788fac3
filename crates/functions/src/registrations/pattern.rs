//! What keys a registration is about: one key, or all with a prefix. No glob.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Exactly(Box<[u8]>),
    Prefix(Box<[u8]>),
}

impl Pattern {
    /// A final `*` makes a prefix of the rest.
    pub(crate) fn parse(text: &[u8]) -> Self {
        match text.strip_suffix(b"*") {
            Some(prefix) => Pattern::Prefix(prefix.into()),
            None => Pattern::Exactly(text.into()),
        }
    }

    /// As it was given.
    pub(crate) fn text(&self) -> Vec<u8> {
        match self {
            Pattern::Exactly(text) => text.to_vec(),
            Pattern::Prefix(prefix) => [prefix, &b"*"[..]].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_final_star_is_special() {
        assert_eq!(Pattern::parse(b"a*"), Pattern::Prefix(b"a"[..].into()));
        assert_eq!(Pattern::parse(b"*"), Pattern::Prefix(b""[..].into()));
        assert_eq!(Pattern::parse(b"*a?"), Pattern::Exactly(b"*a?"[..].into()));
    }

    #[test]
    fn a_pattern_reads_back_as_it_was_given() {
        for text in [&b"*"[..], b"a*", b"a", b""] {
            assert_eq!(Pattern::parse(text).text(), text);
        }
    }
}
