use keyspace::value::ValueRef;
use keyspace::{Database, Object};

/// Where an element leads to: the star stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// Without a star.
    Nowhere,
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|byte| *byte == b'*') else {
            return Pattern::Nowhere;
        };
        let (before, after) = (&text[..star], &text[star + 1..]);
        // An arrow with nothing behind it belongs to the key.
        match after.windows(2).position(|pair| pair == b"->") {
            Some(arrow) if arrow + 2 < after.len() => {
                Pattern::Key { before, after: &after[..arrow], field: Some(&after[arrow + 2..]) }
            }
            _ => Pattern::Key { before, after, field: None },
        }
    }

    /// Lends what the element leads to: a string, or a field of a hash. Other types are as good as absent.
    pub(super) fn follow<R>(
        self,
        database: &mut Database,
        element: &[u8],
        f: impl FnOnce(Option<&[u8]>) -> R,
    ) -> R {
        let (before, after, field) = match self {
            Pattern::Element => return f(Some(element)),
            Pattern::Nowhere => return f(None),
            Pattern::Key { before, after, field } => (before, after, field),
        };
        let key = [before, element, after].concat();
        match (database.read(&key), field) {
            (Some(ValueRef::String(string)), None) => string.with_bytes(|bytes| f(Some(bytes))),
            (Some(ValueRef::Object(Object::Hash(hash))), Some(field)) => f(hash.get(field)),
            _ => f(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_may_name_a_field() {
        for (text, expected) in [
            ("#", Pattern::Element),
            ("key", Pattern::Nowhere),
            ("a*b", Pattern::Key { before: b"a", after: b"b", field: None }),
            ("a*b->f", Pattern::Key { before: b"a", after: b"b", field: Some(b"f") }),
            ("a*->", Pattern::Key { before: b"a", after: b"->", field: None }),
            ("a->f*", Pattern::Key { before: b"a->f", after: b"", field: None }),
        ] {
            assert_eq!(Pattern::parse(text.as_bytes()), expected, "{text}");
        }
    }
}
