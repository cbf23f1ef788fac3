//! Events that a function with mode='sync' owes its command: its worker died before it came to its end.
//!
//! The command has happened and cannot be taken back; so its event is not lost. It waits in its registration's queue and
//! runs, with the data to itself, as soon as the session has a worker again. Later events wait behind it: functions see
//! them in the order in which they happened.

use crate::engine::{Doors, Engine};
use crate::execution::{Input, Status};
use crate::worker::ExecutionId;

/// Where an event is put among those that its registration owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its turn had come already.
    First,
    Last,
}

impl Engine {
    /// Keeps those that can run later; the others have failed.
    pub(crate) fn keep_owed(
        &mut self,
        doors: &mut Doors,
        ended: Vec<ExecutionId>,
    ) -> Vec<ExecutionId> {
        // From the last one on: each goes before all that wait.
        let mut failed: Vec<ExecutionId> =
            ended.into_iter().rev().filter(|id| !self.owe(doors, *id, Place::First)).collect();
        failed.reverse();
        failed
    }

    /// Whether the command goes on without its function, which runs later.
    pub(crate) fn owe(&mut self, doors: &mut Doors, id: ExecutionId, place: Place) -> bool {
        if !self.can_be_owed(id) {
            return false;
        }
        let execution = self.execution(id);
        execution.was_interrupted |= execution.status == Status::Running;
        execution.status = Status::Created;
        execution.started_us = None;
        execution.results.clear();
        execution.results_bytes = 0;
        execution.errors.clear();
        let (origin, session) = (execution.origin, execution.session);
        let number = origin.registration().expect("events trigger registrations");

        if let Some(session) = self.sessions.by_number.get_mut(&session) {
            session.beside_queue.retain(|other| *other != id);
        }
        let registration = self.registrations.by_number.get_mut(&number);
        let registration = registration.expect("a registration outlives its executions");
        registration.in_flight -= 1;
        match place {
            Place::First => registration.pending.push_front(id),
            Place::Last => registration.pending.push_back(id),
        }
        self.queued += 1;
        self.leave_command(id);
        self.take_back_from_function(doors, id);
        self.mark_ready(number);
        true
    }

    fn can_be_owed(&self, id: ExecutionId) -> bool {
        let Some(execution) = self.executions.get(&id) else { return false };
        let Some(number) = execution.origin.registration() else { return false };
        let registration = self.registrations.by_number.get(&number);
        // One that ends its worker by itself would do so again and again.
        let fell_twice = execution.was_interrupted && execution.status == Status::Running;
        matches!(execution.input, Input::Event { .. })
            && self.insides.runs(id)
            && !fell_twice
            && execution.stop.is_none()
            && registration.is_some_and(|registration| !registration.retired)
            // Whoever waits for it shall not wait for a restart.
            && !self.causes.is_waited_for(id)
            && self.may_owe(number)
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};
    use crate::worker::{FromWorker, WorkerId};

    const NEXT: WorkerId = WorkerId(1);
    const LATER: Option<&str> = Some("…");

    fn sync_events() -> Stage {
        let kwargs = [("mode", text("sync"))];
        Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs)
    }

    fn happens(stage: &mut Stage, key: &str, execution: u64) {
        assert_eq!(stage.event_inside("set", key), [execution]);
        stage.begin(execution);
    }

    #[test]
    fn an_event_whose_worker_dies_runs_once_more_in_the_next_one() {
        let mut stage = sync_events();
        happens(&mut stage, "a", 1);
        stage.sent();
        stage.crash(WORKER);
        assert_eq!(stage.inside(1).as_deref(), LATER);
        assert_eq!(stage.engine.lease(), None);
        assert!(!stage.engine.is_inside_a_command());
        stage.sent();
        stage.loaded(NEXT);
        stage.work();
        assert_eq!(stage.sent(), ["inside w1 e1 f0 [a=nothing(set)]"]);
        stage.done(NEXT, 1, vec![]);
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
        assert_eq!(stage.engine.lease(), None);
    }

    #[test]
    fn a_function_that_ends_its_worker_twice_has_failed() {
        let mut stage = sync_events();
        happens(&mut stage, "a", 1);
        stage.crash(WORKER);
        stage.inside(1);
        stage.loaded(NEXT);
        stage.work();
        stage.crash(NEXT);
        let (triggered, succeeded, failed, aborted, error) = stage.statistics();
        assert_eq!((triggered, succeeded, failed, aborted), (1, 0, 1, 0));
        assert!(error.unwrap().starts_with("worker was ended"));
        assert!(stage.engine.queued == 0 && !stage.engine.has_work());
    }

    #[test]
    fn events_while_there_is_no_worker_wait_in_their_order() {
        let mut stage = sync_events();
        stage.crash(WORKER);
        stage.crash(NEXT);
        happens(&mut stage, "a", 1);
        happens(&mut stage, "b", 2);
        assert_eq!((stage.inside(1).as_deref(), stage.inside(2).as_deref()), (LATER, LATER));
        stage.at(100);
        let third = WorkerId(2);
        stage.loaded(third);
        // It happens before the others have had their turn.
        happens(&mut stage, "c", 3);
        assert_eq!(stage.inside(3).as_deref(), LATER);
        stage.sent();
        for (execution, key) in [(1, "a"), (2, "b"), (3, "c")] {
            stage.work();
            let sent = format!("inside w2 e{execution} f0 [{key}=nothing(set)]");
            assert_eq!(stage.sent(), [sent]);
            stage.done(third, execution, vec![]);
        }
        happens(&mut stage, "d", 4);
        assert_eq!(stage.sent(), ["inside w2 e4 f0 [d=nothing(set)]"]);
        stage.done(third, 4, vec![]);
        assert!(stage.inside(4).is_some());
        assert_eq!(stage.statistics(), (4, 4, 0, 0, None));
    }

    #[test]
    fn one_that_was_interrupted_comes_before_those_that_wait() {
        let mut stage = sync_events();
        stage.crash(WORKER);
        stage.crash(NEXT);
        for (execution, key) in [(1, "a"), (2, "b")] {
            happens(&mut stage, key, execution);
            stage.inside(execution);
        }
        stage.at(100);
        stage.loaded(WorkerId(2));
        stage.work();
        stage.crash(WorkerId(2));
        stage.at(300);
        stage.sent();
        stage.loaded(WorkerId(3));
        stage.work();
        assert_eq!(stage.sent(), ["inside w3 e1 f0 [a=nothing(set)]"]);
    }

    #[test]
    fn a_restart_that_takes_too_long_gives_the_data_back_and_costs_no_event() {
        let mut stage = sync_events();
        stage.crash(WORKER);
        happens(&mut stage, "a", 1);
        assert!(stage.engine.lease().is_some_and(|lease| lease.worker == NEXT));
        stage.at(5000);
        assert_eq!(stage.inside(1).as_deref(), LATER);
        assert_eq!(stage.engine.lease(), None);
        stage.sent();
        stage.loaded(NEXT);
        stage.work();
        assert_eq!(stage.sent(), ["inside w1 e1 f0 [a=nothing(set)]"]);
    }

    #[test]
    fn functions_that_wait_for_each_other_run_again_the_outer_one_first() {
        let mut stage = sync_events();
        happens(&mut stage, "outer", 1);
        happens(&mut stage, "inner", 2);
        stage.crash(WORKER);
        assert_eq!((stage.inside(2).as_deref(), stage.inside(1).as_deref()), (LATER, LATER));
        stage.loaded(NEXT);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["inside w1 e1 f0 [outer=nothing(set)]"]);
        // What it triggers this time is not kept waiting by what it triggered the first time.
        happens(&mut stage, "inner", 3);
        assert_eq!(stage.sent(), ["inside w1 e3 f0 [inner=nothing(set)]"]);
    }

    #[test]
    fn a_full_queue_owes_what_it_would_not_drop() {
        let mut stage = sync_events();
        stage.command("RG.CONFIGSET function-queue-policy drop");
        stage.command("RG.CONFIGSET function-queue-max 1");
        stage.crash(WORKER);
        stage.crash(NEXT);
        for (execution, key) in [(1, "a"), (2, "b")] {
            happens(&mut stage, key, execution);
        }
        assert_eq!(stage.inside(1).as_deref(), LATER);
        assert!(stage.inside(2).unwrap().contains("its worker died"));
        assert_eq!(stage.statistics().2, 1);
        stage.command("RG.CONFIGSET function-queue-policy block");
        happens(&mut stage, "c", 3);
        assert_eq!(stage.inside(3).as_deref(), LATER);
    }

    #[test]
    fn functions_that_cannot_be_restored_still_owe_their_events() {
        let mut stage = sync_events();
        happens(&mut stage, "a", 1);
        stage.crash(WORKER);
        assert_eq!(stage.inside(1).as_deref(), LATER);
        stage.from(NEXT, FromWorker::Loaded { error: Some("no module".into()) });
        assert_eq!(stage.statistics(), (1, 0, 0, 0, Some("no module".into())));
        stage.at(100);
        stage.sent();
        stage.loaded(WorkerId(2));
        stage.work();
        assert_eq!(stage.sent(), ["inside w2 e1 f0 [a=nothing(set)]"]);
    }

    #[test]
    fn an_unregistered_function_owes_nothing() {
        let mut stage = sync_events();
        happens(&mut stage, "a", 1);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.crash(WORKER);
        assert!(stage.inside(1).unwrap().starts_with("-worker was ended"));
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_client_that_waits_for_the_function_is_told_at_once() {
        let commands = Argument::List(vec![text("set")]);
        let kwargs = [("mode", text("sync")), ("commands", commands), ("prefix", text("k*"))];
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs);
        let cause = stage.engine.command_begins("set", &[b"SET", b"k", b"v"], true);
        let during = crate::During { cause: Some(cause), may_suspend: true };
        let inside = stage.act(|engine, doors| engine.key_event(doors, "set", b"k", during));
        assert_eq!(inside.len(), 1);
        stage.begin(1);
        stage.crash(WORKER);
        assert!(stage.inside(1).unwrap().starts_with("-worker was ended"));
    }
}
