//! Registrations on keys that go (`before_deleted`, `before_expired`, `before_evicted`): what the key held comes along.
//!
//! Such a registration names its events: one that wants every event gets none of these, as ever. What a key held is the
//! host's value, moved out of the data; it is let go as soon as the last function that wants it has been sent it.

use std::cell::Cell;
use std::rc::Rc;

use super::{During, Happening, KeysTrigger, Mode, Trigger};
use crate::config::Key;
use crate::engine::{Doors, Engine};
use crate::execution::Input;
use crate::host::{Host, Projection, Remains, Removal, RemovalInterest, Value};
use crate::worker::{ExecutionId, Farewell, RecordSink};

/// A key that goes, for one function.
pub(crate) struct Going {
    key: Box<[u8]>,
    removal: Removal,
    held: Held,
}

#[derive(Clone)]
enum Held {
    /// The key is still there.
    InPlace,
    Remains(Rc<Kept>),
    /// It was too large to be kept, or nobody asked.
    Nothing {
        kind: &'static str,
        expires_at_ms: Option<i64>,
    },
}

/// Counts among the bytes that wait for functions, as long as one of them needs it.
struct Kept {
    remains: Box<dyn Remains>,
    waiting_bytes: Rc<Cell<usize>>,
    bytes: usize,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.waiting_bytes.set(self.waiting_bytes.get() - self.bytes);
    }
}

impl Going {
    pub(crate) fn put(
        &self,
        host: &mut dyn Host,
        projection: Projection,
        sink: &mut dyn RecordSink,
    ) {
        let event = self.removal.event();
        let with_value = |value| (projection == Projection::KeyAndValue).then_some(value);
        match &self.held {
            Held::InPlace => host.look(&self.key, &mut |remains| match remains {
                Some(remains) => self.show(remains, projection, sink),
                // A function that ran before this one has removed it.
                None => {
                    let farewell = Farewell { event, expires_at_ms: None, truncated: false };
                    sink.removed(&self.key, with_value(Value::Missing), farewell);
                }
            }),
            Held::Remains(kept) => self.show(&*kept.remains, projection, sink),
            Held::Nothing { kind, expires_at_ms } => {
                let value = with_value(Value::Opaque(kind));
                let truncated = value.is_some();
                let farewell = Farewell { event, expires_at_ms: *expires_at_ms, truncated };
                sink.removed(&self.key, value, farewell);
            }
        }
    }

    fn show(&self, remains: &dyn Remains, projection: Projection, sink: &mut dyn RecordSink) {
        let farewell = Farewell {
            event: self.removal.event(),
            expires_at_ms: remains.expires_at_ms(),
            truncated: remains.is_lost(),
        };
        match projection {
            Projection::Key => sink.removed(&self.key, None, farewell),
            Projection::KeyAndValue => remains.show(&mut |value| {
                sink.removed(&self.key, Some(value), farewell);
            }),
        }
    }
}

impl KeysTrigger {
    /// The removals that it names.
    pub(super) fn removals(&self) -> impl Iterator<Item = Removal> {
        let named = |removal: &Removal| self.names(removal.event());
        Removal::ALL.into_iter().filter(named)
    }

    fn names(&self, event: &str) -> bool {
        self.events.iter().flatten().any(|name| **name == *event)
    }
}

impl super::Registrations {
    /// Whose removal somebody wants to know of.
    pub(crate) fn removal_interest(&self) -> Vec<RemovalInterest> {
        let of_one = |keys: &KeysTrigger, mode: Mode| {
            let interest = |removal| RemovalInterest {
                removal,
                keys: keys.pattern.clone(),
                inside: mode == Mode::Sync,
            };
            keys.removals().map(interest).collect::<Vec<_>>()
        };
        let listed = self.listed().filter_map(|(_, registration)| match &registration.trigger {
            Trigger::Keys(keys) => Some(of_one(keys, registration.mode)),
            Trigger::Command(_) | Trigger::Stream(_) | Trigger::Cron(_) => None,
        });
        listed.flatten().collect()
    }
}

/// Whether this host can tell what removed keys held. Says so to whoever registers.
pub(crate) fn check_removals(host: &dyn Host, keys: &KeysTrigger) -> Result<(), String> {
    let known = host.event_names();
    match keys.removals().find(|removal| !known.contains(&removal.event())) {
        None => Ok(()),
        Some(removal) => Err(format!(
            "there is no event '{}' here: only Mainspring's own server can tell what a removed key held",
            removal.event()
        )),
    }
}

/// Who knows of a removal before it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    ToNobody,
    /// [`Engine::key_goes`] has told the functions that run inside the command.
    ToThoseInside,
}

impl Engine {
    /// A command is about to delete a key: the functions that are given back run before it does, while the key is still
    /// there. The others hear of it through [`Engine::key_removed`].
    #[must_use]
    pub fn key_goes(&mut self, doors: &mut Doors, key: &[u8], during: During) -> Vec<ExecutionId> {
        let mut kind = None;
        doors.host.look(key, &mut |remains| kind = remains.map(Remains::type_name));
        let Some(kind) = kind else { return Vec::new() };
        self.tell_removal(doors, Removal::Deleted, key, kind, during, |mode, _| {
            (mode == Mode::Sync).then_some(Held::InPlace)
        })
    }

    /// A key is gone.
    ///
    /// Nothing runs here, as with [`Engine::key_event`]: the functions that are given back run inside the command.
    #[must_use]
    pub fn key_removed(
        &mut self,
        doors: &mut Doors,
        removal: Removal,
        key: &[u8],
        remains: Box<dyn Remains>,
        announced: Announced,
        during: During,
    ) -> Vec<ExecutionId> {
        let (kind, bytes) = (remains.type_name(), remains.bytes());
        let nothing = Held::Nothing { kind, expires_at_ms: remains.expires_at_ms() };
        let waiting = self.removed_bytes.get();
        let may_wait = waiting.saturating_add(bytes) <= self.config.size(Key::BeforeQueueMaxBytes);
        let held = if bytes <= self.config.size(Key::BeforeValueMaxBytes) {
            self.removed_bytes.set(waiting + bytes);
            let waiting_bytes = self.removed_bytes.clone();
            Held::Remains(Rc::new(Kept { remains, waiting_bytes, bytes }))
        } else {
            nothing.clone()
        };
        self.tell_removal(doors, removal, key, kind, during, |mode, projection| {
            // What is needed until the end of the command does not wait.
            let is_inside = mode == Mode::Sync;
            if is_inside && announced == Announced::ToThoseInside {
                return None;
            }
            let is_kept = projection == Projection::KeyAndValue && (is_inside || may_wait);
            Some(if is_kept { held.clone() } else { nothing.clone() })
        })
    }

    /// `held`: what a registration of that mode and with those wishes is given, if it is told at all.
    fn tell_removal(
        &mut self,
        doors: &mut Doors,
        removal: Removal,
        key: &[u8],
        kind: &str,
        during: During,
        held: impl Fn(Mode, Projection) -> Option<Held>,
    ) -> Vec<ExecutionId> {
        self.happening = Some(Happening { during, inside: Vec::new() });
        let mut concerned = std::mem::take(&mut self.concerned);
        self.registrations.events.find(removal.event(), key, &mut concerned);
        for number in concerned.drain(..) {
            let registration = &self.registrations.by_number[&number];
            let Trigger::Keys(keys) = &registration.trigger else { continue };
            if keys.names(removal.event())
                && keys.wants_type(kind)
                && self.is_by_wanted_command(keys, during)
                && let Some(held) = held(registration.mode, keys.projection)
                && !self.ends_cascade(doors.host.now_ms(), number, removal.event(), key)
                && self.admit_event(doors, number)
            {
                let going = Going { key: key.into(), removal, held };
                self.enqueue(doors, number, Input::Going(Box::new(going)));
            }
        }
        self.concerned = concerned;
        self.happening.take().map_or_else(Vec::new, |happening| happening.inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Argument;
    use crate::registrations::Pattern;
    use crate::testing::{Stage, WORKER, plan, text, texts};

    fn registered(kwargs: &[(&str, Argument)]) -> Stage {
        let events = texts(&["before_deleted", "before_expired"]);
        let kwargs: Vec<_> = [("prefix", text("user:*")), ("eventTypes", events)]
            .into_iter()
            .chain(kwargs.iter().cloned())
            .collect();
        Stage::registered(plan("KeysReader", &[]), &kwargs)
    }

    fn sync() -> Stage {
        registered(&[("mode", text("sync"))])
    }

    fn waiting_bytes(stage: &Stage) -> usize {
        stage.engine.removed_bytes.get()
    }

    #[test]
    fn a_function_gets_what_the_key_held_however_late_it_runs() {
        let mut stage = registered(&[]);
        stage.removed(Removal::Deleted, "user:1", "old");
        stage.host.keys.insert(b"user:1".to_vec(), b"new".to_vec());
        assert_eq!(waiting_bytes(&stage), 3);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [user:1=old(before_deleted)]"]);
        assert_eq!(waiting_bytes(&stage), 0);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
    }

    #[test]
    fn other_keys_removals_and_types_start_nothing() {
        let mut stage = registered(&[("keyTypes", texts(&["list"]))]);
        stage.removed(Removal::Deleted, "user:1", "a string");
        let mut stage_of_any_type = registered(&[]);
        stage_of_any_type.removed(Removal::Deleted, "other", "old");
        stage_of_any_type.removed(Removal::Evicted, "user:1", "old");
        assert!(!stage.engine.has_work() && !stage_of_any_type.engine.has_work());
        assert_eq!(waiting_bytes(&stage) + waiting_bytes(&stage_of_any_type), 0);
    }

    #[test]
    fn whoever_wants_every_event_gets_those_of_redis_only() {
        let mut stage = Stage::registered(plan("KeysReader", &[]), &[]);
        stage.removed(Removal::Deleted, "user:1", "old");
        assert!(!stage.engine.has_work());
        assert_eq!(stage.host.removals, []);
    }

    #[test]
    fn the_host_is_told_whose_removal_is_wanted_and_when_none_is() {
        let mut stage = sync();
        let keys = || Pattern::Prefix(b"user:"[..].into());
        let wanted = |removal| RemovalInterest { removal, keys: keys(), inside: true };
        assert_eq!(stage.host.removals, [wanted(Removal::Deleted), wanted(Removal::Expired)]);
        assert!(!stage.host.interest.keyspace, "no other event is wanted");
        stage.command(&format!("RG.UNREGISTER {}", crate::testing::id(1)));
        assert_eq!(stage.host.removals, []);
    }

    #[test]
    fn values_are_left_out_and_let_go_when_the_registration_says_so() {
        let mut stage = registered(&[("readValue", Argument::Bool(false))]);
        stage.removed(Removal::Expired, "user:1", "old");
        assert_eq!(waiting_bytes(&stage), 0);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [user:1(before_expired)]"]);
    }

    #[test]
    fn one_value_serves_all_who_want_it_and_is_counted_once() {
        let mut stage = registered(&[]);
        stage.command("RG.PYEXECUTE code");
        let worker = crate::worker::WorkerId(1);
        let events = [("eventTypes", texts(&["before_deleted"]))];
        stage.register(worker, 0, plan("KeysReader", &[]), &events);
        stage.script_done(worker);
        stage.sent();
        stage.removed(Removal::Deleted, "user:1", "old");
        assert_eq!(waiting_bytes(&stage), 3);
        stage.work();
        assert_eq!(stage.sent().len(), 2);
        assert_eq!(waiting_bytes(&stage), 0);
    }

    #[test]
    fn too_large_a_value_is_let_go_and_the_record_says_so() {
        let mut stage = registered(&[]);
        stage.command("RG.CONFIGSET before-value-max-bytes 2");
        stage.removed(Removal::Deleted, "user:1", "old");
        assert_eq!(waiting_bytes(&stage), 0);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [user:1(before_deleted) truncated]"]);
    }

    #[test]
    fn what_waits_together_is_bounded_and_what_runs_inside_does_not_wait() {
        let mut stage = registered(&[]);
        stage.command("RG.CONFIGSET before-queue-max-bytes 5");
        stage.removed(Removal::Deleted, "user:1", "one");
        stage.removed(Removal::Deleted, "user:2", "two");
        assert_eq!(waiting_bytes(&stage), 3);
        stage.work();
        assert_eq!(
            stage.sent(),
            [
                "invoke w0 e1 f0 [user:1=one(before_deleted)]",
                "invoke w0 e2 f0 [user:2(before_deleted) truncated]"
            ]
        );
        let mut stage = sync();
        stage.command("RG.CONFIGSET before-queue-max-bytes 0");
        assert_eq!(stage.removed_inside("user:1", "one", Announced::ToNobody), [1]);
        stage.begin(1);
        assert!(stage.sent()[0].contains("[user:1=one(before_deleted)]"));
    }

    #[test]
    fn a_value_that_nobody_waits_for_any_more_is_let_go() {
        let mut stage = registered(&[]);
        stage.removed(Removal::Deleted, "user:1", "old");
        stage.command(&format!("RG.UNREGISTER {} ABORTPENDING", crate::testing::id(1)));
        assert_eq!(waiting_bytes(&stage), 0);
    }

    #[test]
    fn a_function_inside_the_command_runs_before_a_deletion_and_is_told_once() {
        let mut stage = sync();
        assert_eq!(stage.goes("user:1"), [0; 0], "there is no such key");
        stage.host.keys.insert(b"user:1".to_vec(), b"still there".to_vec());
        assert_eq!(stage.goes("user:1"), [1]);
        stage.begin(1);
        assert_eq!(stage.sent(), ["inside w0 e1 f0 [user:1=still there(before_deleted)]"]);
        stage.done(WORKER, 1, vec![]);
        let after = stage.removed_inside("user:1", "still there", Announced::ToThoseInside);
        assert_eq!(after, [0; 0]);
    }

    #[test]
    fn functions_beside_the_command_wait_until_the_key_is_gone() {
        let mut stage = registered(&[]);
        stage.host.keys.insert(b"user:1".to_vec(), b"old".to_vec());
        assert_eq!(stage.goes("user:1"), [0; 0]);
        assert!(!stage.engine.has_work());
    }

    #[test]
    fn a_host_that_cannot_tell_what_keys_held_refuses_the_registration() {
        let mut stage = Stage::new();
        stage.host.tells_no_removals = true;
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        let events = [("eventTypes", texts(&["before_expired"]))];
        stage.register(WORKER, 0, plan("KeysReader", &[]), &events);
        let sent = stage.sent().remove(0);
        assert!(sent.starts_with("answer w0 t0 raise there is no event 'before_expired' here"));
    }

    #[test]
    fn misspelt_names_are_told_the_right_one() {
        let events = [("eventTypes", texts(&["before_delete"]))];
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a");
        stage.register(WORKER, 0, plan("KeysReader", &[]), &events);
        assert_eq!(
            stage.host.logs,
            ["GEARS: [a] there is no event 'before_delete': is 'before_deleted' meant?"]
        );
    }
}
