//! Registrations on keyspace events: one execution an event.

use std::collections::HashMap;

use super::{CauseId, Pattern, Trigger};
use crate::engine::{Doors, Engine};
use crate::execution::Input;
use crate::host::{Host, Projection};
use crate::identifier::RegistrationNumber;
use crate::worker::ExecutionId;

pub(crate) struct KeysTrigger {
    pub(crate) pattern: Pattern,
    /// In lower case; `None`: every event.
    pub(crate) events: Option<Vec<Box<str>>>,
    pub(crate) types: Option<KeyTypes>,
    pub(crate) projection: Projection,
    /// In lower case: only what one of these commands does counts, and its client waits.
    pub(crate) commands: Option<Vec<Box<str>>>,
}

impl KeysTrigger {
    fn wants(&self, host: &mut dyn Host, event: &str, key: &[u8]) -> bool {
        let by_name =
            self.events.as_ref().is_none_or(|events| events.iter().any(|name| **name == *event));
        by_name && (self.types.is_none() || self.wants_type(type_of(host, key)))
    }

    pub(super) fn wants_type(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.include(name))
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
        name = match value.type_name() {
            // Records call a stream's type unknown; registrations name it.
            "unknown" => "stream",
            name => name,
        };
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

/// What goes on around a keyspace event.
#[derive(Clone, Copy, Debug, Default)]
pub struct During {
    /// The command that runs, if somebody waits for its events: see [`Engine::command_begins`].
    pub cause: Option<CauseId>,
    /// Functions inside the command may go on after it.
    pub may_suspend: bool,
}

/// A keyspace event while it is being handed in.
pub(crate) struct Happening {
    pub(crate) during: During,
    /// Functions to run inside the command.
    pub(crate) inside: Vec<ExecutionId>,
}

impl Engine {
    /// A keyspace event, after the command that caused it.
    ///
    /// Nothing runs here: executions are queued, and `work` starts them. Those that are given back run inside the
    /// command, one after the other: see [`Engine::begin_inside`].
    #[must_use]
    pub fn key_event(
        &mut self,
        doors: &mut Doors,
        event: &str,
        key: &[u8],
        during: During,
    ) -> Vec<ExecutionId> {
        self.happening = Some(Happening { during, inside: Vec::new() });
        let mut concerned = std::mem::take(&mut self.concerned);
        self.registrations.events.find(event, key, &mut concerned);
        for number in concerned.drain(..) {
            self.key_event_for(doors, number, event, key);
        }
        self.concerned = concerned;
        self.happening.take().map_or_else(Vec::new, |happening| happening.inside)
    }

    pub(super) fn is_by_wanted_command(&self, keys: &KeysTrigger, during: During) -> bool {
        keys.commands.as_ref().is_none_or(|names| {
            during.cause.is_some_and(|cause| self.causes.is_command(cause, names))
        })
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
                let during = self.happening.as_ref().map(|happening| happening.during);
                let by_command = self.is_by_wanted_command(keys, during.unwrap_or_default());
                if by_command
                    && keys.wants(doors.host, event, key)
                    && !self.ends_cascade(doors.host.now_ms(), number, event, key)
                    && self.admit_event(doors, number)
                {
                    let event = self.event_names.number(event);
                    self.enqueue(doors, number, Input::Event { key: key.into(), event });
                }
            }
            // The index knows names and keys, not which name goes with which key.
            Trigger::Stream(_) if event == super::streams::EVENT => {
                self.stream_grew(doors, number, key);
            }
            Trigger::Stream(_) | Trigger::Command(_) | Trigger::Cron(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::host::EventInterest;
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text, texts};

    fn registered(kwargs: &[(&str, Argument)]) -> Stage {
        Stage::registered(plan("KeysReader", &[StepKind::ForEach]), kwargs)
    }

    #[test]
    fn an_event_runs_the_function_with_the_value_as_it_is_by_then() {
        let mut stage = registered(&[("prefix", text("user:*"))]);
        stage.event("set", "user:1");
        stage.host.keys.insert(b"user:1".to_vec(), b"later".to_vec());
        assert_eq!(stage.sent(), [""; 0]);
        assert!(stage.engine.has_work());
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [user:1=later(set)]"]);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
    }

    #[test]
    fn other_keys_and_other_events_start_nothing() {
        let mut stage = registered(&[("prefix", text("user:*")), ("eventTypes", texts(&["SET"]))]);
        stage.event("set", "other");
        stage.event("del", "user:1");
        assert!(!stage.engine.has_work());
        stage.event("set", "user:1");
        assert!(stage.engine.has_work());
    }

    #[test]
    fn types_are_those_at_the_time_of_the_event() {
        let mut stage = registered(&[("keyTypes", texts(&["string"]))]);
        stage.event("set", "k");
        assert!(!stage.engine.has_work());
        stage.host.keys.insert(b"k".to_vec(), b"v".to_vec());
        stage.event("set", "k");
        assert!(stage.engine.has_work());
    }

    #[test]
    fn a_key_that_is_gone_still_makes_a_record() {
        let mut stage = registered(&[]);
        stage.event("del", "k");
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [k=nothing(del)]"]);
    }

    #[test]
    fn a_stream_grows_by_appends_only() {
        let mut stage = Stage::registered(plan("StreamReader", &[]), &[("prefix", text("s"))]);
        stage.register(WORKER, 1, plan("KeysReader", &[]), &[("prefix", text("other"))]);
        stage.work();
        stage.event("xgroup-create", "s");
        assert!(!stage.engine.has_work());
        stage.event("xadd", "s");
        assert!(stage.engine.has_work());
    }

    #[test]
    fn values_are_not_read_when_the_registration_says_so() {
        let mut stage = registered(&[("readValue", Argument::Bool(false))]);
        stage.host.keys.insert(b"k".to_vec(), b"v".to_vec());
        stage.event("set", "k");
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [k(set)]"]);
    }

    #[test]
    fn the_host_is_told_which_events_are_wanted_and_when_none_are() {
        let mut stage = registered(&[("eventTypes", texts(&["keymiss"]))]);
        let misses = EventInterest { misses: true, ..EventInterest::default() };
        assert_eq!(stage.host.interest, misses);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        assert_eq!(stage.host.interest, EventInterest::default());
        let stage = registered(&[]);
        assert!(stage.host.interest.keyspace && stage.host.interest.misses);
    }
}
