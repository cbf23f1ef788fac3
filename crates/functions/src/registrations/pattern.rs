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

    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        match self {
            Pattern::Exactly(text) => **text == *key,
            Pattern::Prefix(prefix) => key.starts_with(prefix),
        }
    }

    /// As it was given.
    pub(crate) fn text(&self) -> Vec<u8> {
        match self {
            Pattern::Exactly(text) => text.to_vec(),
            Pattern::Prefix(prefix) => [prefix, &b"*"[..]].concat(),
        }
    }

    /// A glob for the same keys.
    pub(crate) fn glob(&self) -> Vec<u8> {
        let (Pattern::Exactly(text) | Pattern::Prefix(text)) = self;
        let mut glob = Vec::with_capacity(text.len() + 1);
        for byte in text {
            if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
                glob.push(b'\\');
            }
            glob.push(*byte);
        }
        if matches!(self, Pattern::Prefix(_)) {
            glob.push(b'*');
        }
        glob
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
    fn the_glob_of_a_pattern_has_no_other_star_than_the_final_one() {
        assert_eq!(Pattern::parse(b"a*?*").glob(), br"a\*\?*");
        assert_eq!(Pattern::parse(br"[a]\").glob(), br"\[a]\\");
    }

    #[test]
    fn a_pattern_reads_back_as_it_was_given() {
        for text in [&b"*"[..], b"a*", b"a", b""] {
            assert_eq!(Pattern::parse(text).text(), text);
        }
    }
}
