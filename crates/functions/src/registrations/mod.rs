//! Functions that wait for something to happen: what they wait for, and how they fared.

mod accept;
pub(crate) mod causes;
pub(crate) mod dispatch;
mod doubts;
mod event_index;
mod events;
mod histogram;
pub(crate) mod hooks;
mod pattern;
mod removals;
mod statistics;
mod streams;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::host::{EventInterest, Removal};
use crate::identifier::RegistrationNumber;
use crate::plan::Plan;
use crate::readers::Reader;
use crate::session::SessionNumber;
use crate::worker::{ExecutionId, FunctionId};

pub(crate) use accept::{Accepted, accept, accept_run};
pub use causes::CauseId;
pub(crate) use causes::Causes;
pub(crate) use doubts::doubts;
pub(crate) use event_index::EventIndex;
pub use events::During;
pub(crate) use events::{EventName, EventNames, Happening, KeyTypes, KeysTrigger};
pub(crate) use histogram::Histogram;
pub use hooks::HookedCall;
pub(crate) use hooks::{Hook, HookIndex};
pub use pattern::Pattern;
pub use removals::Announced;
pub(crate) use removals::{Going, check_removals};
pub(crate) use statistics::{Outcome, Statistics, Times};
pub(crate) use streams::{FailurePolicy, StreamSearch, StreamTrigger};

pub(crate) struct Registration {
    pub(crate) session: SessionNumber,
    pub(crate) function: FunctionId,
    pub(crate) plan: Arc<Plan>,
    /// What the worker needs to re-create the function.
    pub(crate) pickle: Vec<u8>,
    pub(crate) mode: Mode,
    pub(crate) trigger: Trigger,
    pub(crate) statistics: Statistics,
    /// What seems not to be meant in its `register()`.
    pub(crate) doubts: Vec<String>,
    /// Executions that wait, oldest first.
    pub(crate) pending: VecDeque<ExecutionId>,
    /// Stands in the engine's queue of registrations with work.
    pub(crate) ready: bool,
    /// Executions that a worker has, or that run inside a command.
    pub(crate) in_flight: usize,
    /// Executions that are over and kept, oldest first.
    pub(crate) kept: VecDeque<ExecutionId>,
    /// Unregistered: nobody sees it any more, but what it started is still on its way.
    pub(crate) retired: bool,
}

impl Registration {
    pub(crate) fn reader(&self) -> Reader {
        match self.trigger {
            Trigger::Keys(_) => Reader::Keys,
            Trigger::Command(_) => Reader::Command,
            Trigger::Stream(_) => Reader::Stream,
        }
    }

    /// Begins to count anew.
    pub(crate) fn clear_statistics(&mut self) {
        self.statistics.clear(self.pending.len());
        if let Trigger::Stream(stream) = &mut self.trigger {
            (stream.last_lag_ms, stream.total_lag_ms) = (0, 0);
        }
    }

    /// Its last executions stay listed; those of commands go with their reply.
    pub(crate) fn is_kept(&self) -> bool {
        !matches!(self.trigger, Trigger::Command(_))
    }

    /// The clients of certain commands wait for its executions.
    pub(crate) fn waits_for_commands(&self) -> bool {
        matches!(&self.trigger, Trigger::Keys(KeysTrigger { commands: Some(_), .. }))
    }

    /// Executions of an ordered registration run strictly one after another.
    pub(crate) fn may_start(&self) -> bool {
        match &self.trigger {
            Trigger::Command(trigger) if trigger.in_order => self.in_flight == 0,
            _ => true,
        }
    }
}

/// Alone, the first two mean the same: there is no other shard to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Async,
    AsyncLocal,
    /// Inside the command that triggers it.
    Sync,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Async => "async",
            Mode::AsyncLocal => "async_local",
            Mode::Sync => "sync",
        }
    }
}

pub(crate) enum Trigger {
    Keys(KeysTrigger),
    Command(CommandTrigger),
    Stream(StreamTrigger),
}

pub(crate) struct CommandTrigger {
    /// What RG.TRIGGER calls it by, or the command that it hides.
    pub(crate) name: Box<[u8]>,
    pub(crate) in_order: bool,
    pub(crate) hook: Option<Hook>,
}

impl CommandTrigger {
    pub(crate) fn is_called(&self) -> bool {
        self.hook.is_none()
    }
}

/// All registrations, and the ways to find those that something concerns.
#[derive(Default)]
pub(crate) struct Registrations {
    pub(crate) by_number: BTreeMap<RegistrationNumber, Registration>,
    by_trigger: HashMap<Box<[u8]>, RegistrationNumber>,
    pub(crate) events: EventIndex,
    pub(crate) hooks: HookIndex,
}

impl Registrations {
    pub(crate) fn triggered_by(&self, name: &[u8]) -> Option<RegistrationNumber> {
        self.by_trigger.get(name).copied()
    }

    /// Those that clients see.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (RegistrationNumber, &Registration)> {
        let listed = self.by_number.iter().filter(|(_, registration)| !registration.retired);
        listed.map(|(number, registration)| (*number, registration))
    }

    pub(crate) fn get_listed(&mut self, number: RegistrationNumber) -> Option<&mut Registration> {
        self.by_number.get_mut(&number).filter(|registration| !registration.retired)
    }

    pub(crate) fn insert(&mut self, number: RegistrationNumber, registration: Registration) {
        if let Trigger::Command(trigger) = &registration.trigger
            && trigger.is_called()
        {
            self.by_trigger.insert(trigger.name.clone(), number);
        }
        self.by_number.insert(number, registration);
        self.index();
    }

    /// Nothing starts it any more.
    pub(crate) fn retire(&mut self, number: RegistrationNumber) {
        let Some(registration) = self.by_number.get_mut(&number) else { return };
        registration.retired = true;
        if let Trigger::Command(trigger) = &registration.trigger
            && self.by_trigger.get(&trigger.name) == Some(&number)
        {
            self.by_trigger.remove(&trigger.name);
        }
        self.index();
    }

    fn index(&mut self) {
        self.hooks = HookIndex::of(self.listed());
        let listed = self.by_number.iter().filter(|(_, registration)| !registration.retired);
        self.events =
            EventIndex::of(listed.filter_map(
                |(number, registration)| match &registration.trigger {
                    Trigger::Keys(keys) => Some((*number, &keys.pattern, keys.events.clone())),
                    Trigger::Stream(stream) => {
                        Some((*number, &stream.pattern, Some(vec![streams::EVENT.into()])))
                    }
                    Trigger::Command(_) => None,
                },
            ));
    }

    /// The commands that have hooks, and those whose events functions wait for.
    pub(crate) fn watched_commands(&self) -> (Vec<&str>, Vec<&str>) {
        let mut hooked: Vec<&str> = self.hooks.commands().collect();
        hooked.sort_unstable();
        (hooked, self.caused_commands().into_iter().collect())
    }

    pub(crate) fn interest(&self) -> EventInterest {
        let mut interest = EventInterest::default();
        for (_, registration) in self.listed() {
            match &registration.trigger {
                Trigger::Keys(keys) => {
                    let all = keys.events.is_none();
                    let mut named = keys.events.iter().flatten().map(|event| &**event);
                    interest.misses |= all || named.clone().any(|event| event == "keymiss");
                    interest.keyspace |= all
                        || named.any(|event| event != "keymiss" && Removal::named(event).is_none());
                }
                Trigger::Stream(_) => interest.streams = true,
                Trigger::Command(_) => {}
            }
        }
        interest
    }
}
