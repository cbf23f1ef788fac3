//! Registrations on keyspace events: one execution an event.

use std::collections::HashMap;

use super::{Pattern, Trigger};
use crate::engine::{Doors, Engine};
use crate::execution::Input;
use crate::host::{Host, Projection, Value};
use crate::identifier::RegistrationNumber;

pub(crate) struct KeysTrigger {
    pub(crate) pattern: Pattern,
    /// In lower case; `None`: every event.
    pub(crate) events: Option<Vec<Box<str>>>,
    pub(crate) types: Option<KeyTypes>,
    pub(crate) projection: Projection,
}

impl KeysTrigger {
    fn wants(&self, host: &mut dyn Host, event: &str, key: &[u8]) -> bool {
        let by_name =
            self.events.as_ref().is_none_or(|events| events.iter().any(|name| **name == *event));
        by_name && self.types.as_ref().is_none_or(|types| types.include(type_of(host, key)))
    }
}

/// The types that scripts can name, and that of no key.
const TYPES: [&str; 8] = ["empty", "string", "list", "hash", "set", "zset", "module", "stream"];

pub(crate) struct KeyTypes(Vec<&'static str>);

impl KeyTypes {
    pub(crate) fn parse(names: Vec<&[u8]>) -> Result<Self, String> {
        let known = |name: &[u8]| TYPES.iter().find(|known| known.as_bytes() == name).copied();
        let types: Option<_> = names.into_iter().map(known).collect();
        types.map(KeyTypes).ok_or_else(|| "unknown key type".into())
    }

    fn include(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    pub(crate) fn names(&self) -> &[&'static str] {
        &self.0
    }
}

fn type_of(host: &mut dyn Host, key: &[u8]) -> &'static str {
    let mut name = "empty";
    host.read(key, Projection::KeyAndValue, &mut |value| {
        name = match value {
            Value::Missing => "empty",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            // Records call a stream's type unknown; registrations name it.
            Value::Opaque("unknown") => "stream",
            Value::Opaque(name) => name,
        }
    });
    name
}

/// An event's name as a small number: there are few, and many executions wait with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventName(u32);

#[derive(Default)]
pub(crate) struct EventNames {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl EventNames {
    pub(crate) fn number(&mut self, name: &str) -> EventName {
        if let Some(number) = self.numbers.get(name) {
            return EventName(*number);
        }
        let number = u32::try_from(self.names.len()).expect("event names are few");
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        EventName(number)
    }

    pub(crate) fn text(&self, name: EventName) -> &str {
        &self.names[name.0 as usize]
    }
}

impl Engine {
    /// A keyspace event, after the command that caused it.
    ///
    /// Nothing runs here: executions are queued, and `work` starts them.
    pub fn key_event(&mut self, doors: &mut Doors, event: &str, key: &[u8]) {
        let mut concerned = std::mem::take(&mut self.concerned);
        self.registrations.events.find(event, key, &mut concerned);
        for number in concerned.drain(..) {
            self.key_event_for(doors, number, event, key);
        }
        self.concerned = concerned;
    }

    fn key_event_for(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        event: &str,
        key: &[u8],
    ) {
        let registration = self.registrations.by_number.get(&number);
        match &registration.expect("the index holds registrations that are there").trigger {
            Trigger::Keys(keys) => {
                if keys.wants(doors.host, event, key) {
                    let event = self.event_names.number(event);
                    // A full queue has counted the event as aborted, and its reason is the last error.
                    let _queued = self.enqueue(number, Input::Event { key: key.into(), event });
                }
            }
            Trigger::Stream(_) => self.stream_grew(doors, number, key),
            Trigger::Command(_) => {}
        }
    }
}
