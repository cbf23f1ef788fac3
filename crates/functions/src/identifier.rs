//! Public identifiers: `<node>-<number>`, counted as RedisGears counts them.
//!
//! Two counters run side by side. Executions draw from one; builders, registrations and management commands from the
//! other, so the first registration of a fresh server is `…-1`.

use crate::worker::ExecutionId;

/// A registration; a number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationNumber(pub(crate) u64);

/// How long a node's name is; alone, it is forty zeros.
pub(crate) const NODE_LENGTH: usize = 40;

pub(crate) struct Identifiers {
    node: [u8; NODE_LENGTH],
    definitions: u64,
    executions: u64,
}

impl Identifiers {
    pub(crate) fn new() -> Self {
        Identifiers { node: [b'0'; NODE_LENGTH], definitions: 0, executions: 0 }
    }

    pub(crate) fn node(&self) -> &str {
        std::str::from_utf8(&self.node).expect("a node's name is ASCII")
    }

    pub(crate) fn next_execution(&mut self) -> ExecutionId {
        let id = ExecutionId(self.executions);
        self.executions += 1;
        id
    }

    /// A builder that was run.
    pub(crate) fn count_builder(&mut self) {
        self.definitions += 1;
    }

    /// A builder and its copy, the registration.
    pub(crate) fn next_registration(&mut self) -> RegistrationNumber {
        let number = RegistrationNumber(self.definitions + 1);
        self.definitions += 2;
        number
    }

    /// What RedisGears runs as a function of its own: an abort, the distribution of registrations.
    pub(crate) fn count_management(&mut self) {
        self.definitions += 1;
        self.executions += 1;
    }

    pub(crate) fn text(&self, number: u64) -> String {
        format!("{}-{number}", self.node())
    }

    pub(crate) fn parse_execution(&self, text: &[u8]) -> Option<ExecutionId> {
        self.parse(text).map(ExecutionId)
    }

    pub(crate) fn parse_registration(&self, text: &[u8]) -> Option<RegistrationNumber> {
        self.parse(text).map(RegistrationNumber)
    }

    fn parse(&self, text: &[u8]) -> Option<u64> {
        let digits = text.strip_prefix(&self.node)?.strip_prefix(b"-")?;
        let canonical =
            digits == b"0" || digits.first().is_some_and(|first| (b'1'..=b'9').contains(first));
        if !canonical {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_registration_of_a_fresh_server_is_number_one() {
        assert_eq!(Identifiers::new().next_registration(), RegistrationNumber(1));
    }

    #[test]
    fn the_first_execution_is_number_zero() {
        assert_eq!(Identifiers::new().next_execution(), ExecutionId(0));
    }

    #[test]
    fn an_identifier_reads_back_as_it_was_written() {
        let identifiers = Identifiers::new();
        let text = identifiers.text(1234);
        assert_eq!(text, format!("{}-1234", "0".repeat(40)));
        assert_eq!(identifiers.parse_execution(text.as_bytes()), Some(ExecutionId(1234)));
    }

    #[test]
    fn only_the_canonical_spelling_is_an_identifier() {
        let identifiers = Identifiers::new();
        for tail in ["", "-", "-01", "-+1", "- 1", "-99999999999999999999", "1"] {
            let text = format!("{}{tail}", "0".repeat(40));
            assert_eq!(identifiers.parse_execution(text.as_bytes()), None, "{text}");
        }
        assert_eq!(identifiers.parse_execution(b"abc-1"), None);
    }
}
