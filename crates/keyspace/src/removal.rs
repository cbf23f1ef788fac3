//! What keys held when they were removed, for whoever has asked for it.
//!
//! A removed entry is dropped anyway: it moves into the event that tells of the removal, and nothing is copied. Only a
//! collection that its last elements are taken from is copied beforehand, if that is cheap.

use std::fmt;

use crate::entry::{Content, Entry, EntryRef};
use crate::event::EventKind;
use crate::value::{Object, Type, ValueRef};

/// Removals whose events bring along what the key held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRemoval {
    /// `DEL`, `EXPIRED` or `EVICTED`.
    pub kind: EventKind,
    pub db: usize,
    pub keys: WantedKeys,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedKeys {
    Exactly(Box<[u8]>),
    Prefix(Box<[u8]>),
}

impl WantedRemoval {
    fn includes(&self, kind: EventKind, db: usize, key: &[u8]) -> bool {
        self.kind == kind
            && self.db == db
            && match &self.keys {
                WantedKeys::Exactly(other) => **other == *key,
                WantedKeys::Prefix(prefix) => key.starts_with(prefix),
            }
    }
}

/// What a key held.
pub struct Removed {
    held: Held,
    expiry: Option<i64>,
}

enum Held {
    Entry(Entry),
    /// One command has taken all elements out of a collection that was too large to be copied before.
    Lost(Type),
}

impl Removed {
    pub(crate) fn new(entry: Entry) -> Removed {
        Removed { expiry: entry.as_ref().expiry(), held: Held::Entry(entry) }
    }

    pub fn type_of(&self) -> Type {
        match &self.held {
            Held::Entry(entry) => entry.as_ref().value().type_of(),
            Held::Lost(lost) => *lost,
        }
    }

    /// `None` if it was too large to be kept.
    pub fn value(&self) -> Option<ValueRef<'_>> {
        match &self.held {
            Held::Entry(entry) => Some(entry.as_ref().value()),
            Held::Lost(_) => None,
        }
    }

    /// When the key would have expired, or has, in milliseconds since the epoch.
    pub fn expiry(&self) -> Option<i64> {
        self.expiry
    }

    pub fn memory(&self) -> usize {
        match &self.held {
            Held::Entry(entry) => entry.as_ref().memory(),
            Held::Lost(_) => 0,
        }
    }

    pub(crate) fn into_entry(self) -> Option<Entry> {
        match self.held {
            Held::Entry(entry) => Some(entry),
            Held::Lost(_) => None,
        }
    }
}

impl fmt::Debug for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removed")
            .field("type", &self.type_of())
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

/// Who wants what, and what a write that may take all elements has found.
#[derive(Default)]
pub(crate) struct Removals {
    wanted: Vec<WantedRemoval>,
    before: Option<Before>,
}

struct Before {
    db: usize,
    key: Box<[u8]>,
    removed: Removed,
}

/// Every write to a wanted collection copies it, so it has to be quick: a microsecond or two.
const COPIED_BYTES_MAX: usize = 16 << 10;

impl Removals {
    pub(crate) fn want(&mut self, wanted: Vec<WantedRemoval>) {
        *self = Removals { wanted, before: None };
    }

    #[inline]
    pub(crate) fn are_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    pub(crate) fn want_one(&self, kind: EventKind, db: usize, key: &[u8]) -> bool {
        self.wanted.iter().any(|wanted| wanted.includes(kind, db, key))
    }

    /// A collection is about to be changed, and may be left empty.
    #[cold]
    pub(crate) fn remember(&mut self, db: usize, entry: EntryRef<'_>) {
        self.before = None;
        let key = entry.key();
        let object = match entry.value() {
            ValueRef::String(_) => return,
            // It may be empty.
            ValueRef::Object(Object::Stream(_)) => return,
            ValueRef::Object(object) => object,
        };
        if !self.want_one(EventKind::DEL, db, key) {
            return;
        }
        let held = if entry.memory() <= COPIED_BYTES_MAX {
            let content = Content::Object(object.clone());
            Held::Entry(Entry::new(key, content, entry.expiry(), entry.access()))
        } else {
            Held::Lost(object.type_of())
        };
        let removed = Removed { held, expiry: entry.expiry() };
        self.before = Some(Before { db, key: key.into(), removed });
    }

    /// What was remembered of this collection, which is empty by now.
    pub(crate) fn recall(&mut self, db: usize, key: &[u8]) -> Option<Removed> {
        let before = self.before.take()?;
        (before.db == db && *before.key == *key).then_some(before.removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Expiry, Keyspace, List, Options};

    const BYTES_OF_AN_ELEMENT: usize = 100;

    fn wanting(kinds: &[EventKind]) -> Keyspace {
        let mut keyspace = Keyspace::new(Options { databases: 2, seed: 42 });
        keyspace.set_now(1_000);
        let keys = || WantedKeys::Prefix(b"user:"[..].into());
        keyspace.want_removed(
            kinds.iter().map(|&kind| WantedRemoval { kind, db: 0, keys: keys() }).collect(),
        );
        keyspace
    }

    fn events(keyspace: &mut Keyspace) -> Vec<Event> {
        let mut events = Vec::new();
        keyspace.take_events(&mut events);
        events
    }

    fn text(removed: &Removed) -> String {
        match removed.value() {
            Some(ValueRef::String(string)) => String::from_utf8_lossy(&string.to_vec()).into(),
            Some(ValueRef::Object(object)) => format!("{} elements", object.len()),
            None => "lost".into(),
        }
    }

    /// The events that bring a value, as `name key value`.
    fn told(keyspace: &mut Keyspace) -> Vec<String> {
        let line = |event: Event| {
            let removed = text(event.removed.as_deref()?);
            Some(format!("{} {} {removed}", event.kind.name, String::from_utf8_lossy(&event.key)))
        };
        events(keyspace).into_iter().filter_map(line).collect()
    }

    fn push(keyspace: &mut Keyspace, key: &[u8], elements: usize) {
        let limits = keyspace.limits;
        let mut database = keyspace.database(0);
        let list = database.get_or_insert::<List>(key).expect("a list");
        (0..elements).for_each(|_| list.push_back(&[b'x'; BYTES_OF_AN_ELEMENT], &limits));
    }

    fn pop_all(keyspace: &mut Keyspace, key: &[u8]) {
        let mut database = keyspace.database(0);
        let list = database.get_mut::<List>(key).expect("a list").expect("it is there");
        while list.pop_front().is_some() {}
        database.changed(EventKind::LPOP, key);
    }

    #[test]
    fn a_deletion_hands_out_the_value_of_wanted_keys_and_of_no_others() {
        let mut keyspace = wanting(&[EventKind::DEL]);
        for key in [&b"user:1"[..], b"user:2", b"other"] {
            keyspace.database(0).set_string(key, b"old", Expiry::At(5_000));
        }
        keyspace.database(1).set_string(b"user:1", b"elsewhere", Expiry::Clear);
        assert!(keyspace.database(0).delete(b"user:1"));
        assert!(keyspace.database(0).delete_lazily(b"user:2"));
        assert!(keyspace.database(0).delete(b"other"));
        assert!(keyspace.database(1).delete(b"user:1"));
        assert!(!keyspace.database(0).delete(b"user:1"));
        let events = events(&mut keyspace);
        let removed: Vec<_> = events.iter().filter_map(|event| event.removed.as_deref()).collect();
        assert_eq!(removed.iter().map(|removed| text(removed)).collect::<Vec<_>>(), ["old", "old"]);
        assert_eq!(removed[0].expiry(), Some(5_000));
    }

    #[test]
    fn nobody_s_wishes_cost_no_event() {
        let mut keyspace = wanting(&[]);
        keyspace.database(0).set_string(b"user:1", b"old", Expiry::Clear);
        assert!(keyspace.database(0).delete(b"user:1"));
        assert!(!keyspace.has_events());
    }

    #[test]
    fn a_key_that_expires_is_handed_out_whoever_notices() {
        let mut keyspace = wanting(&[EventKind::EXPIRED]);
        keyspace.database(0).set_string(b"user:1", b"seen", Expiry::At(1_500));
        keyspace.database(0).set_string(b"user:2", b"swept", Expiry::At(1_500));
        keyspace.database(0).set_string(b"user:3", b"deleted", Expiry::Clear);
        keyspace.set_now(2_000);
        assert!(!keyspace.database(0).contains(b"user:1"));
        assert_eq!(keyspace.expire_cycle(usize::MAX), 1);
        assert!(keyspace.database(0).delete(b"user:3"));
        assert_eq!(told(&mut keyspace), ["expired user:1 seen", "expired user:2 swept"]);
    }

    #[test]
    fn an_evicted_key_is_handed_out() {
        let mut keyspace = wanting(&[EventKind::EVICTED]);
        keyspace.database(0).set_string(b"user:1", b"old", Expiry::Clear);
        assert!(keyspace.evict_one(crate::EvictionPolicy::AllKeysRandom, 1));
        assert_eq!(told(&mut keyspace), ["evicted user:1 old"]);
    }

    #[test]
    fn a_collection_that_loses_its_last_elements_is_handed_out_as_the_command_found_it() {
        let mut keyspace = wanting(&[EventKind::DEL]);
        push(&mut keyspace, b"user:1", 1);
        push(&mut keyspace, b"user:1", 2);
        pop_all(&mut keyspace, b"user:1");
        assert_eq!(told(&mut keyspace), ["del user:1 3 elements"]);
    }

    #[test]
    fn a_large_collection_that_one_command_empties_is_lost_and_said_to_be() {
        let mut keyspace = wanting(&[EventKind::DEL]);
        push(&mut keyspace, b"user:1", COPIED_BYTES_MAX / BYTES_OF_AN_ELEMENT + 1);
        pop_all(&mut keyspace, b"user:1");
        let events = events(&mut keyspace);
        let removed = events[0].removed.as_deref().expect("it is wanted");
        assert!(removed.value().is_none());
        assert_eq!(removed.type_of(), Type::List);
    }

    #[test]
    fn what_was_remembered_of_one_key_is_not_told_of_another() {
        let mut keyspace = wanting(&[EventKind::DEL]);
        push(&mut keyspace, b"user:1", 2);
        push(&mut keyspace, b"other", 1);
        let mut database = keyspace.database(0);
        database.get_mut::<List>(b"user:1").expect("a list").expect("it is there").pop_front();
        database.changed(EventKind::LPOP, b"user:1");
        pop_all(&mut keyspace, b"other");
        assert_eq!(told(&mut keyspace), [""; 0]);
    }

    #[test]
    fn a_renamed_or_moved_key_lives_on_and_is_not_handed_out() {
        let mut keyspace = wanting(&[EventKind::DEL]);
        keyspace.database(0).set_string(b"user:1", b"old", Expiry::Clear);
        assert!(keyspace.database(0).rename(b"user:1", b"user:2"));
        assert!(keyspace.database(0).move_to(b"user:2", 1));
        assert!(!keyspace.has_events());
    }
}
