//! The queue of a registration: how many executions may wait in it, and what becomes of events that find it full.
//!
//! An event tells of something that has happened, so refusing it is no way out. By default it is queued all the same,
//! and the client that caused it goes on only when there is room again: writers become as slow as their functions.
//! Functions themselves are never made to wait, for they might wait for each other.

use std::collections::{HashMap, VecDeque};

use super::{Mode, Outcome, Registration, Trigger};
use crate::config::Key;
use crate::engine::{Doors, Engine};
use crate::host::{ClientId, Level};
use crate::identifier::RegistrationNumber;

/// What may wait beyond function-queue-max, as a multiple of it and at least: more would take the server's memory.
const CEILING_FACTOR: usize = 10;
const CEILING_LEAST: usize = 10_000;

/// How often a registration that loses events says so in the log, at most.
const LOSS_LOG_INTERVAL_MS: i64 = 10_000;

/// What comes of an event that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueuePolicy {
    /// It is queued; whoever caused it waits.
    Block,
    /// It is counted.
    Drop,
    /// Commands that would cause it are refused before they run.
    Error,
}

impl QueuePolicy {
    pub(crate) const NAMES: [&str; 3] = ["block", "drop", "error"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "block" => QueuePolicy::Block,
            "drop" => QueuePolicy::Drop,
            "error" => QueuePolicy::Error,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            QueuePolicy::Block => "block",
            QueuePolicy::Drop => "drop",
            QueuePolicy::Error => "error",
        }
    }
}

/// What `register()` says of its queue. What it leaves out is as the server's options say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueueLimit {
    pub(crate) max: Option<usize>,
    pub(crate) policy: Option<QueuePolicy>,
}

/// Events that were lost and not yet told of.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    untold: u64,
    told_ms: Option<i64>,
}

/// Clients that wait for room in queues, first come first served.
#[derive(Default)]
pub(crate) struct Holds {
    /// Full queues that the command which runs has found.
    found: Vec<RegistrationNumber>,
    held: VecDeque<Held>,
    /// There may be room for some of them.
    may_go: bool,
}

struct Held {
    client: ClientId,
    by: Vec<RegistrationNumber>,
}

impl Holds {
    pub(crate) fn client_gone(&mut self, client: ClientId) {
        self.held.retain(|held| held.client != client);
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// There may be room now, for whatever reason.
    pub(crate) fn look_again(&mut self) {
        self.may_go = !self.held.is_empty();
    }

    pub(crate) fn may_go(&self) -> bool {
        self.may_go
    }
}

impl Registration {
    /// Executions that have no thread yet, be they here or in the worker.
    pub(crate) fn waiting(&self, threads: usize) -> usize {
        (self.pending.len() + self.in_flight).saturating_sub(threads)
    }

    /// Whether writes can cause its events, and these wait for their turn.
    fn queues_writes(&self) -> bool {
        // Reads and time cause these.
        let by_write = |event: &str| {
            !matches!(
                event,
                "keymiss" | "expired" | "evicted" | "before_expired" | "before_evicted"
            )
        };
        match &self.trigger {
            Trigger::Keys(keys) => {
                self.mode != Mode::Sync
                    && keys
                        .events
                        .as_ref()
                        .is_none_or(|events| events.iter().any(|event| by_write(event)))
            }
            // A stream keeps its entries itself.
            Trigger::Stream(_) | Trigger::Command(_) | Trigger::Cron(_) => false,
        }
    }
}

impl super::Registrations {
    fn refuse_writes(&self) -> bool {
        let refuses = |registration: &Registration| {
            registration.limit.policy == Some(QueuePolicy::Error) && registration.queues_writes()
        };
        self.listed().any(|(_, registration)| refuses(registration))
    }

    pub(super) fn note_refusals(&mut self) {
        self.refuses_writes = self.refuse_writes();
    }
}

impl Engine {
    /// How many more executions of a registration may wait.
    fn room(&self, number: RegistrationNumber) -> usize {
        let room = self.config.size(Key::FunctionQueueMax).saturating_sub(self.queued);
        let Some(registration) = self.registrations.by_number.get(&number) else { return room };
        let Some(max) = registration.limit.max else { return room };
        room.min(max.saturating_sub(self.waiting(number)))
    }

    /// As many may wait as a registration's own limit says, or else that of all together.
    pub(crate) fn queue_max(&self, registration: &Registration) -> usize {
        registration.limit.max.unwrap_or_else(|| self.config.size(Key::FunctionQueueMax))
    }

    /// Executions of a registration that wait.
    pub(crate) fn waiting(&self, number: RegistrationNumber) -> usize {
        let threads = self.config.size(Key::ExecutionThreads);
        let registration = self.registrations.by_number.get(&number);
        registration.map_or(0, |registration| registration.waiting(threads))
    }

    pub(crate) fn is_full(&self, number: RegistrationNumber) -> bool {
        self.room(number) == 0
    }

    pub(crate) fn queue_policy(&self, registration: &Registration) -> QueuePolicy {
        registration.limit.policy.unwrap_or_else(|| self.config.queue_policy())
    }

    /// Which of the two limits is reached, in words.
    pub(crate) fn queue_full_text(&self, number: RegistrationNumber) -> String {
        let max = self.config.size(Key::FunctionQueueMax);
        let own = self.registrations.by_number.get(&number).and_then(|known| known.limit.max);
        match own.filter(|_| self.queued < max) {
            Some(own) => format!("queue_max is reached: {own} executions wait"),
            None => format!("function-queue-max is reached: {max} executions wait"),
        }
    }

    /// Whether an event may be queued. If not, it has been counted.
    pub(super) fn admit_event(&mut self, doors: &mut Doors, number: RegistrationNumber) -> bool {
        let registration = &self.registrations.by_number[&number];
        if registration.mode == Mode::Sync || !self.is_full(number) {
            return true;
        }
        match self.queue_policy(registration) {
            QueuePolicy::Drop => {
                self.lose_event(doors, number, QueuePolicy::Drop);
                false
            }
            _ if self.queued >= self.queue_ceiling() => {
                self.lose_event(doors, number, QueuePolicy::Block);
                false
            }
            QueuePolicy::Block => {
                if !self.holds.found.contains(&number) {
                    self.holds.found.push(number);
                }
                true
            }
            // Nobody could know beforehand that the command would cause it.
            QueuePolicy::Error => true,
        }
    }

    /// Whether an event may wait whose command has gone on without its function. Nobody is held for it: the ceiling is all
    /// that bounds those that nobody wants dropped.
    pub(crate) fn may_owe(&self, number: RegistrationNumber) -> bool {
        let drops = |known: &Registration| self.queue_policy(known) == QueuePolicy::Drop;
        if self.registrations.by_number.get(&number).is_some_and(drops) {
            !self.is_full(number)
        } else {
            self.queued < self.queue_ceiling()
        }
    }

    fn queue_ceiling(&self) -> usize {
        let max = self.config.size(Key::FunctionQueueMax);
        max.saturating_mul(CEILING_FACTOR).max(CEILING_LEAST)
    }

    fn lose_event(&mut self, doors: &mut Doors, number: RegistrationNumber, policy: QueuePolicy) {
        let now_ms = doors.host.now_ms();
        let ceiling = self.queue_ceiling();
        let full = self.queue_full_text(number);
        let name = self.identifiers.text(number.0);
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let why = if policy == QueuePolicy::Drop {
            registration.statistics.dropped += 1;
            format!("dropped: {full}")
        } else {
            registration.statistics.triggered += 1;
            let why = format!("{full}, and {ceiling} are the most that may wait beyond it");
            registration.statistics.ended(Outcome::Aborted(Some(&why)), None, now_ms);
            format!("aborted: {why}")
        };
        let losses = &mut registration.losses;
        losses.untold += 1;
        if losses.told_ms.is_none_or(|told_ms| now_ms - told_ms >= LOSS_LOG_INTERVAL_MS) {
            losses.told_ms = Some(now_ms);
            let count = std::mem::take(&mut losses.untold);
            doors.host.log(Level::Warning, &format!("GEARS: {name}: {count} events were {why}"));
        }
    }

    /// Whether events of the command that runs have found full queues whose causers are to wait.
    pub fn has_found_full_queues(&self) -> bool {
        !self.holds.found.is_empty()
    }

    /// Nobody that could be made to wait has caused these events.
    pub fn hold_nobody(&mut self) {
        self.holds.found.clear();
    }

    /// The command is over that caused the events: true if its client is to wait for [`crate::host::Host::release`].
    pub fn hold(&mut self, client: ClientId) -> bool {
        let by = std::mem::take(&mut self.holds.found);
        let is_held = by.iter().any(|number| self.blocks(*number) && self.is_full(*number));
        if is_held {
            self.holds.held.push_back(Held { client, by });
        }
        is_held
    }

    fn blocks(&self, number: RegistrationNumber) -> bool {
        let registration = self.registrations.by_number.get(&number);
        registration.is_some_and(|registration| {
            !registration.retired && self.queue_policy(registration) == QueuePolicy::Block
        })
    }

    /// As many clients go on as there is room, as if each took one place: those that come after them wait for what is left.
    pub(crate) fn release_held(&mut self, doors: &mut Doors) {
        let mut left: HashMap<RegistrationNumber, usize> = HashMap::new();
        let mut staying = VecDeque::new();
        let mut has_released = false;
        for held in std::mem::take(&mut self.holds.held) {
            let mut has_room = |number: &RegistrationNumber| {
                *left.entry(*number).or_insert_with(|| self.room(*number)) > 0
            };
            if held.by.iter().all(|number| !self.blocks(*number) || has_room(number)) {
                for number in &held.by {
                    left.entry(*number).and_modify(|left| *left = left.saturating_sub(1));
                }
                doors.host.release(held.client);
                has_released = true;
            } else {
                staying.push_back(held);
            }
        }
        // Those that went may do nothing that takes their place: then the next ones go.
        self.holds.may_go = has_released && !staying.is_empty();
        self.holds.held = staying;
    }

    /// Whether [`Engine::refusal`] is worth asking.
    pub fn may_refuse_writes(&self) -> bool {
        self.registrations.refuses_writes
            || (self.config.queue_policy() == QueuePolicy::Error
                && !self.registrations.events.is_empty())
    }

    /// Why a command may not write to these keys now, if a full queue is to refuse it.
    pub fn refusal<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> Option<String> {
        let mut concerned = Vec::new();
        keys.for_each(|key| self.registrations.events.find_by_key(key, &mut concerned));
        let refuses = |number: &RegistrationNumber| {
            let registration = &self.registrations.by_number[number];
            registration.queues_writes()
                && self.queue_policy(registration) == QueuePolicy::Error
                && self.is_full(*number)
        };
        let number = concerned.into_iter().find(refuses)?;
        Some(format!("BUSY function queue of {} is full", self.identifiers.text(number.0)))
    }
}

#[cfg(test)]
mod tests {
    use crate::host::ClientId;
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};

    /// A registration with one waiting place; its three threads are busy.
    fn full(policy: &str) -> Stage {
        let kwargs = [("queue_max", Argument::Int(1)), ("queue_policy", text(policy))];
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs);
        for key in ["a", "b", "c", "d"] {
            stage.event("set", key);
        }
        stage.work();
        stage.sent();
        stage
    }

    fn hold(stage: &mut Stage, client: u64) -> bool {
        stage.engine.hold(ClientId(client))
    }

    fn dropped(stage: &Stage) -> u64 {
        stage.engine.registrations.listed().next().unwrap().1.statistics.dropped
    }

    #[test]
    fn an_event_that_finds_the_queue_full_is_queued_and_its_causer_waits_for_room() {
        let mut stage = full("block");
        assert!(!hold(&mut stage, 1), "the fourth event found room");
        stage.event("set", "e");
        assert!(stage.engine.has_found_full_queues());
        assert!(hold(&mut stage, 1));
        assert!(!stage.engine.has_found_full_queues());
        stage.done(WORKER, 1, vec![]);
        stage.work();
        assert_eq!(stage.host.released, [0; 0], "one waits in the only place");
        stage.done(WORKER, 2, vec![]);
        stage.work();
        assert_eq!(stage.host.released, [1]);
        for execution in 3..=5 {
            stage.done(WORKER, execution, vec![]);
        }
        assert_eq!(stage.statistics(), (5, 5, 0, 0, None));
    }

    #[test]
    fn whoever_came_first_goes_first_and_no_more_go_than_there_is_room() {
        let mut stage = full("block");
        for client in 1..=3 {
            stage.event("set", "e");
            assert!(hold(&mut stage, client));
        }
        for execution in 1..=4 {
            stage.done(WORKER, execution, vec![]);
        }
        stage.act(|engine, doors| engine.release_held(doors));
        assert_eq!(stage.host.released, [1]);
    }

    #[test]
    fn those_that_went_and_did_nothing_do_not_keep_the_others_waiting() {
        let mut stage = full("block");
        for client in 1..=3 {
            stage.event("set", "e");
            hold(&mut stage, client);
        }
        for execution in 1..=7 {
            stage.done(WORKER, execution, vec![]);
        }
        while stage.engine.has_work() {
            stage.work();
        }
        assert_eq!(stage.host.released, [1, 2, 3]);
    }

    #[test]
    fn nobody_is_held_for_a_registration_that_is_gone_or_blocks_no_more() {
        let mut stage = full("block");
        stage.event("set", "e");
        hold(&mut stage, 1);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.work();
        assert_eq!(stage.host.released, [1]);

        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &[]);
        stage.command("RG.CONFIGSET function-queue-max 1");
        stage.event("set", "a");
        stage.event("set", "b");
        assert!(hold(&mut stage, 2));
        stage.command("RG.CONFIGSET function-queue-policy drop");
        assert!(stage.engine.has_work());
        stage.work();
        assert_eq!(stage.host.released, [2]);
    }

    #[test]
    fn a_held_client_that_goes_away_is_forgotten() {
        let mut stage = full("block");
        stage.event("set", "e");
        hold(&mut stage, 1);
        stage.act(|engine, doors| engine.client_gone(doors, ClientId(1)));
        for execution in 1..=5 {
            stage.done(WORKER, execution, vec![]);
        }
        stage.work();
        assert_eq!(stage.host.released, [0; 0]);
    }

    #[test]
    fn a_crash_of_the_worker_lets_the_held_go_on() {
        let mut stage = full("block");
        stage.event("set", "e");
        hold(&mut stage, 1);
        stage.crash(WORKER);
        stage.loaded(crate::worker::WorkerId(1));
        stage.work();
        assert_eq!(stage.host.released, [1]);
    }

    #[test]
    fn what_nobody_can_wait_for_is_lost_only_beyond_the_ceiling_and_then_told() {
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &[]);
        stage.command("RG.CONFIGSET function-queue-max 1");
        for _ in 0..super::CEILING_LEAST + 3 {
            stage.event("set", "a");
        }
        stage.engine.hold_nobody();
        assert!(!stage.engine.has_found_full_queues());
        let (triggered, _, _, aborted, error) = stage.statistics();
        assert_eq!((triggered, aborted), (super::CEILING_LEAST as u64 + 3, 3));
        assert!(error.unwrap().contains("function-queue-max is reached: 1 executions wait"));
        assert_eq!(stage.host.logs.len(), 1, "{:?}", stage.host.logs);
        assert!(stage.host.logs[0].contains("1 events were aborted"), "{:?}", stage.host.logs);
    }

    #[test]
    fn dropped_events_are_counted_and_told_of_now_and_then() {
        let mut stage = full("drop");
        for _ in 0..5 {
            stage.event("set", "e");
        }
        assert!(!stage.engine.has_found_full_queues());
        assert_eq!((dropped(&stage), stage.statistics().0), (5, 4));
        stage.at(10_000);
        stage.event("set", "e");
        let logs = &stage.host.logs;
        let id = id(1);
        assert_eq!(
            logs[..],
            [
                format!(
                    "GEARS: {id}: 1 events were dropped: queue_max is reached: 1 executions wait"
                ),
                format!(
                    "GEARS: {id}: 5 events were dropped: queue_max is reached: 1 executions wait"
                ),
            ]
        );
    }

    #[test]
    fn writes_to_keys_of_a_full_registration_are_refused_where_it_says_so() {
        let refusal = |stage: &Stage, key: &str| {
            stage.engine.refusal([b"other" as &[u8], key.as_bytes()].into_iter())
        };
        let stage = full("error");
        assert!(stage.engine.may_refuse_writes());
        let busy = format!("BUSY function queue of {} is full", id(1));
        assert_eq!(refusal(&stage, "k"), Some(busy));
        let mut stage = full("error");
        stage.done(WORKER, 1, vec![]);
        assert_eq!(refusal(&stage, "k"), None);
        let stage = full("block");
        assert!(!stage.engine.may_refuse_writes());
        assert_eq!(refusal(&stage, "k"), None);
    }

    #[test]
    fn events_that_no_write_causes_refuse_no_write() {
        let events = Argument::List(vec![text("keymiss")]);
        let kwargs = [
            ("queue_max", Argument::Int(1)),
            ("queue_policy", text("error")),
            ("eventTypes", events),
        ];
        let stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs);
        assert!(!stage.engine.may_refuse_writes());
    }

    #[test]
    fn a_trigger_with_a_full_queue_of_its_own_refuses() {
        let kwargs = [("trigger", text("t")), ("queue_max", Argument::Int(1))];
        let mut stage = Stage::registered(plan("CommandReader", &[StepKind::Map]), &kwargs);
        for _ in 0..4 {
            assert_eq!(stage.command("RG.TRIGGER t"), "…");
        }
        assert_eq!(
            stage.command("RG.TRIGGER t"),
            "-ERR Could not trigger execution, queue_max is reached: 1 executions wait|"
        );
    }
}
