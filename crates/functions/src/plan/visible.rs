//! What the callbacks of a plan can see of a record: a pushed-down projection.

/// Fields of a record. What cannot be seen is neither read nor sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    pub key: bool,
    /// A stream entry's.
    pub id: bool,
    pub value: bool,
    /// The field `type`.
    pub kind: bool,
    pub event: bool,
    /// Of a value that has fields itself, only these; `None`: all of it.
    pub inner: Option<Box<[String]>>,
}

impl Visible {
    /// The whole record.
    pub const ALL: Visible =
        Visible { key: true, id: true, value: true, kind: true, event: true, inner: None };

    /// The type is known from the value only.
    pub(crate) fn needs_value(&self) -> bool {
        self.value || self.kind
    }

    /// Whether a field of the value can be seen.
    pub fn shows_inner(&self, field: &[u8]) -> bool {
        self.inner.as_ref().is_none_or(|seen| seen.iter().any(|seen| seen.as_bytes() == field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_from_the_value() {
        let kind = Visible { value: false, ..Visible::ALL };
        assert!(kind.needs_value());
        assert!(!Visible { kind: false, ..kind }.needs_value());
    }

    #[test]
    fn of_a_value_all_fields_are_seen_or_those_that_are_named() {
        assert!(Visible::ALL.shows_inner(b"a"));
        let named = Visible { inner: Some(["a".into()].into()), ..Visible::ALL };
        assert!(named.shows_inner(b"a") && !named.shows_inner(b"b"));
    }
}
