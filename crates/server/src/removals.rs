//! Keys that go, as functions see them: what they held, and a word before a command deletes them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use functions::host::{self, Removal, RemovalInterest, StreamEntry, Value};
use functions::{During, Pattern};
use keyspace::value::set::Member;
use keyspace::value::stream::StreamId;
use keyspace::{
    EventKind, Garbage, Object, Removed, Sink, StringRef, Type, ValueRef, WantedKeys, WantedRemoval,
};

use crate::client::Slot;
use crate::gears::{self, with_engine};
use crate::state::State;

/// The commands that do nothing but delete their keys: what they are about to do is known.
pub(crate) const FORESEEN: [&str; 3] = ["del", "getdel", "unlink"];

/// The event that a key goes with.
fn kind(removal: Removal) -> EventKind {
    match removal {
        Removal::Deleted => EventKind::DEL,
        Removal::Expired => EventKind::EXPIRED,
        Removal::Evicted => EventKind::EVICTED,
    }
}

/// How a key went that has left something behind.
pub(crate) fn of_event(event: EventKind) -> Removal {
    let removal = Removal::ALL.into_iter().find(|removal| kind(*removal) == event);
    removal.expect("only what was asked for is handed out: see `wanted`")
}

/// What the keyspace has to hand out: functions see database 0.
pub(crate) fn wanted(interest: &[RemovalInterest]) -> Vec<WantedRemoval> {
    let wanted = |interest: &RemovalInterest| WantedRemoval {
        kind: kind(interest.removal),
        db: 0,
        keys: match &interest.keys {
            Pattern::Exactly(key) => WantedKeys::Exactly(key.clone()),
            Pattern::Prefix(prefix) => WantedKeys::Prefix(prefix.clone()),
        },
    };
    interest.iter().map(wanted).collect()
}

/// Whether functions are to run before commands delete keys.
pub(crate) fn foresees(interest: &[RemovalInterest]) -> bool {
    interest.iter().any(|interest| interest.inside && interest.removal == Removal::Deleted)
}

/// Runs the functions that want to see the keys of a command before it deletes them. Gives the keys they were told of.
pub(crate) fn announce(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
) -> Vec<Box<[u8]>> {
    let mut announced: Vec<Box<[u8]>> = Vec::new();
    if state.clients[slot].database != 0 {
        return announced;
    }
    let spec = &state.table.entry(entry).spec;
    let takes_strings_only = spec.name == "getdel";
    let positions = spec.keys.positions(request).unwrap_or_default();
    for key in positions.into_iter().map(|position| request[position]) {
        let found = state.keyspace.database(0).type_of(key);
        let goes = found.is_some_and(|found| !takes_strings_only || found == Type::String);
        if !goes || announced.iter().any(|other| **other == *key) {
            continue;
        }
        // A function that deletes the key which it is told of is not told again.
        if state.gears.going.iter().any(|going| **going == *key) {
            announced.push(key.into());
            continue;
        }
        let during = During { cause: state.gears.running.cause, may_suspend: state.depth == 0 };
        let inside = with_engine(state, |engine, doors| engine.key_goes(doors, key, during));
        // Without an engine it is the engine that calls: it hears of the key when that is gone.
        let Some(inside) = inside else { continue };
        state.gears.going.push(key.into());
        gears::run_all_inside(state, inside);
        announced.extend(state.gears.going.pop());
    }
    announced
}

/// What a key has left behind. Dropped where large values are dropped.
pub(crate) struct Remains {
    removed: Option<Box<Removed>>,
    sink: Rc<RefCell<Sink>>,
}

impl Remains {
    pub(crate) fn new(removed: Box<Removed>, sink: Rc<RefCell<Sink>>) -> Self {
        Remains { removed: Some(removed), sink }
    }

    fn removed(&self) -> &Removed {
        self.removed.as_deref().expect("it is there until it is dropped")
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if let Some(garbage) = self.removed.take().and_then(|removed| Garbage::of_removed(*removed))
        {
            (self.sink.borrow_mut())(garbage);
        }
    }
}

impl host::Remains for Remains {
    fn type_name(&self) -> &'static str {
        self.removed().type_of().name()
    }

    fn show(&self, visit: &mut dyn FnMut(Value<'_>)) {
        match self.removed().value() {
            Some(value) => show(value, visit),
            None => visit(Value::Opaque(self.type_name())),
        }
    }

    fn is_lost(&self) -> bool {
        self.removed().value().is_none()
    }

    fn expires_at_ms(&self) -> Option<i64> {
        self.removed().expiry()
    }

    fn bytes(&self) -> usize {
        self.removed().memory()
    }
}

/// A key that is still there.
pub(crate) struct InPlace<'a> {
    pub(crate) value: ValueRef<'a>,
    pub(crate) expiry: Option<i64>,
}

impl host::Remains for InPlace<'_> {
    fn type_name(&self) -> &'static str {
        self.value.type_of().name()
    }

    fn show(&self, visit: &mut dyn FnMut(Value<'_>)) {
        show(self.value, visit);
    }

    fn is_lost(&self) -> bool {
        false
    }

    fn expires_at_ms(&self) -> Option<i64> {
        self.expiry
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// A value whole, of whatever type.
pub(crate) fn show(value: ValueRef<'_>, visit: &mut dyn FnMut(Value<'_>)) {
    match value {
        ValueRef::String(StringRef::Bytes(bytes)) => visit(Value::String(bytes)),
        ValueRef::String(number) => number.with_bytes(|bytes| visit(Value::String(bytes))),
        ValueRef::Object(Object::List(list)) => visit(Value::List(&mut list.iter())),
        ValueRef::Object(Object::Hash(hash)) => visit(Value::Hash(&mut hash.iter())),
        ValueRef::Object(Object::Set(set)) => {
            visit(Value::Set(&mut set.iter().map(|member| match member {
                Member::Bytes(bytes) => Cow::Borrowed(bytes),
                integer => Cow::Owned(integer.to_vec()),
            })));
        }
        ValueRef::Object(Object::SortedSet(set)) => visit(Value::SortedSet(&mut set.iter())),
        ValueRef::Object(Object::Stream(stream)) => {
            let entries = stream.log.range(StreamId::MIN, StreamId::MAX);
            visit(Value::Stream(&mut entries.map(|entry| StreamEntry {
                id: entry.id.to_string(),
                fields: entry.fields.collect(),
            })));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_removal_is_told_from_its_event() {
        for removal in Removal::ALL {
            assert_eq!(of_event(kind(removal)), removal);
        }
    }
}
