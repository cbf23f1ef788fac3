//! Which registrations an event concerns, found without touching those it does not.
//!
//! Every write of every client asks here, so the answer "none" has to be cheap: a look at the event's name, then one
//! hash lookup for each length that prefixes have. Nothing is allocated.

use std::collections::HashMap;

use super::Pattern;
use crate::identifier::RegistrationNumber;

#[derive(Default)]
pub(crate) struct EventIndex {
    /// The events that anyone waits for; all of them when `every_event`.
    names: Vec<Box<str>>,
    every_event: bool,
    exact: HashMap<Box<[u8]>, Vec<RegistrationNumber>>,
    prefixes: HashMap<Box<[u8]>, Vec<RegistrationNumber>>,
    /// The lengths of prefixes, ascending.
    lengths: Vec<usize>,
}

impl EventIndex {
    pub(crate) fn of<'a>(
        registrations: impl Iterator<Item = (RegistrationNumber, &'a Pattern, Option<Vec<Box<str>>>)>,
    ) -> Self {
        let mut index = EventIndex::default();
        for (number, pattern, events) in registrations {
            match events {
                None => index.every_event = true,
                Some(events) => index.names.extend(events),
            }
            match pattern {
                Pattern::Exactly(key) => index.exact.entry(key.clone()).or_default().push(number),
                Pattern::Prefix(prefix) => {
                    index.lengths.push(prefix.len());
                    index.prefixes.entry(prefix.clone()).or_default().push(number);
                }
            }
        }
        index.names.sort_unstable();
        index.names.dedup();
        index.lengths.sort_unstable();
        index.lengths.dedup();
        index
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.every_event && self.names.is_empty()
    }

    /// Appends the registrations that want the event by its name and key.
    pub(crate) fn find(&self, event: &str, key: &[u8], found: &mut Vec<RegistrationNumber>) {
        if !self.every_event && !self.names.iter().any(|name| **name == *event) {
            return;
        }
        self.find_by_key(key, found);
    }

    /// The same for any event.
    pub(crate) fn find_by_key(&self, key: &[u8], found: &mut Vec<RegistrationNumber>) {
        if !self.exact.is_empty()
            && let Some(numbers) = self.exact.get(key)
        {
            found.extend(numbers);
        }
        for length in &self.lengths {
            let Some(prefix) = key.get(..*length) else { break };
            if let Some(numbers) = self.prefixes.get(prefix) {
                found.extend(numbers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(event: &str, key: &[u8]) -> Vec<u64> {
        let patterns = [&b"user:*"[..], b"user:1", b"*", b"user:1*"].map(Pattern::parse);
        let events = ["set", "set", "del", "set"].map(|event| Some(vec![event.into()]));
        let numbers = (1..).map(RegistrationNumber);
        let index = EventIndex::of(
            numbers
                .zip(&patterns)
                .zip(events)
                .map(|((number, pattern), events)| (number, pattern, events)),
        );
        let mut found = Vec::new();
        index.find(event, key, &mut found);
        let mut found: Vec<u64> = found.into_iter().map(|number| number.0).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn a_key_finds_its_own_name_and_all_of_its_prefixes() {
        assert_eq!(find("set", b"user:1"), [1, 2, 3, 4]);
        assert_eq!(find("set", b"user:12"), [1, 3, 4]);
        assert_eq!(find("set", b"user:2"), [1, 3]);
        assert_eq!(find("set", b"u"), [3]);
    }

    #[test]
    fn an_event_that_nobody_waits_for_finds_nothing() {
        assert_eq!(find("expire", b"user:1"), []);
    }
}
