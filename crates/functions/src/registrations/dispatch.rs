//! From an event to a worker: executions wait in their registration's queue until the session can take them.

use super::{Mode, Outcome, Trigger};
use crate::config::Key;
use crate::engine::{Answer, Doors, Engine};
use crate::execution::{Arguments, Execution, Input, Origin, Status};
use crate::host::{ClientId, Projection};
use crate::identifier::RegistrationNumber;
use crate::worker::ExecutionId;

/// Executions of one registration that start before the next registration has its turn.
const TURN: usize = 256;
/// And how long they may read streams.
const TURN_US: u64 = 500;

impl Engine {
    /// Queues an execution of a registration; `work` starts it.
    pub(crate) fn enqueue(
        &mut self,
        doors: &Doors,
        number: RegistrationNumber,
        input: Input,
    ) -> ExecutionId {
        let registration = self.registrations.by_number.get_mut(&number);
        let registration = registration.expect("only what is registered is triggered");
        let waits_for_events = registration.waits_for_commands();
        let cause = self.happening.as_ref().and_then(|happening| happening.during.cause);
        let cause = cause.filter(|_| waits_for_events);
        if registration.mode == Mode::Sync
            && let Some(happening) = &self.happening
        {
            let may_suspend = happening.during.may_suspend;
            let id = self.add_inside(number, input, None, may_suspend);
            if let Some(happening) = &mut self.happening {
                happening.inside.push(id);
            }
            if let Some(cause) = cause {
                self.caused(id, cause, true);
            }
            return id;
        }
        registration.statistics.triggered += 1;
        let mut execution = Execution::of_registration(number, registration, input);
        execution.arrived_us = doors.host.turn_us();
        let is_listed = registration.is_kept();
        let id = self.identifiers.next_execution();
        registration.pending.push_back(id);
        let statistics = &mut registration.statistics;
        statistics.queue_max = statistics.queue_max.max(registration.pending.len());
        self.queued += 1;
        self.add_execution(id, execution, is_listed);
        self.mark_ready(number);
        if let Some(cause) = cause {
            self.caused(id, cause, false);
        }
        id
    }

    /// RG.TRIGGER, and hooks; otherwise the whole text of an error.
    pub(crate) fn trigger(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        client: ClientId,
        args: &[&[u8]],
        can_block: bool,
    ) -> Result<Answer, String> {
        if self.registrations.by_number[&number].mode == Mode::Sync {
            let input = Input::Command(Arguments::pack(args));
            let client = can_block.then_some(client);
            return Ok(Answer::Inside(self.add_inside(number, input, client, can_block)));
        }
        if !can_block {
            return Err(
                "ERR can not run a non-sync execution inside a MULTI/LUA (blocking is not \
                        allowed) or on loading."
                    .into(),
            );
        }
        self.trigger_async(doors, number, client, args)?;
        Ok(Answer::Later)
    }

    /// Straight to the worker when nothing stands before it.
    fn trigger_async(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        client: ClientId,
        args: &[&[u8]],
    ) -> Result<(), String> {
        let registration = &self.registrations.by_number[&number];
        let session = &self.sessions.by_number[&registration.session];
        let must_wait =
            !registration.pending.is_empty() || !registration.may_start() || !session.accepts();
        if (must_wait || registration.limit.max.is_some()) && self.is_full(number) {
            let why = self.queue_full_text(number);
            let now_ms = doors.host.now_ms();
            let registration = self.registrations.by_number.get_mut(&number);
            let statistics = &mut registration.expect("it was there a moment ago").statistics;
            statistics.triggered += 1;
            statistics.ended(Outcome::Aborted(Some(&why)), None, now_ms);
            return Err(format!("ERR Could not trigger execution, {why}"));
        }
        if must_wait {
            let id = self.enqueue(doors, number, Input::Command(Arguments::pack(args)));
            self.execution(id).client = Some(client);
            return Ok(());
        }

        let registration = self.registrations.by_number.get_mut(&number);
        let registration = registration.expect("it was there a moment ago");
        registration.statistics.triggered += 1;
        let mut execution = Execution::of_registration(number, registration, Input::None);
        execution.client = Some(client);
        execution.arrived_us = doors.host.turn_us();
        let id = self.identifiers.next_execution();
        self.add_execution(id, execution, false);
        self.invoke(doors, id, &mut |_, sink| sink.command(&mut args.iter().copied()));
        Ok(())
    }

    /// The registration has executions that may start.
    pub(crate) fn mark_ready(&mut self, number: RegistrationNumber) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        if !registration.ready && !registration.pending.is_empty() && registration.may_start() {
            registration.ready = true;
            self.ready.push_back(number);
        }
    }

    /// Starts executions of one registration, as many as its session takes in one turn.
    pub(crate) fn dispatch(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        if let Some(registration) = self.registrations.by_number.get_mut(&number) {
            registration.ready = false;
        }
        let end_us = doors.host.monotonic_us() + TURN_US;
        for _ in 0..TURN {
            let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
            let session = &self.sessions.by_number[&registration.session];
            if !registration.may_start() || !session.accepts() {
                return;
            }
            let Some(id) = registration.pending.pop_front() else { return };
            self.queued -= 1;
            self.holds.look_again();
            if registration.mode == Mode::Sync {
                // Nobody's command is around it, but the data is its own all the same, and nothing else starts meanwhile.
                self.surround(id, None, true, false);
                self.begin_inside(doors, id);
                break;
            }
            let reads_stream = matches!(registration.trigger, Trigger::Stream(_));
            self.start_queued(doors, number, id);
            if reads_stream && doors.host.monotonic_us() >= end_us {
                break;
            }
        }
        self.mark_ready(number);
    }

    pub(crate) fn start_queued(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        id: ExecutionId,
    ) {
        match std::mem::replace(&mut self.execution(id).input, Input::None) {
            Input::Command(args) => {
                self.invoke(doors, id, &mut |_, sink| sink.command(&mut args.iter()));
            }
            Input::Event { key, event } => {
                let projection = self.projection(number);
                let name: Box<str> = self.event_names.text(event).into();
                // The value is read now: what counts is the state when the execution starts.
                self.invoke(doors, id, &mut |doors, sink| match projection {
                    Projection::Key => sink.key(&key, None, Some(&name)),
                    Projection::KeyAndValue => doors.read(&key, projection, &mut |value| {
                        sink.key(&key, Some(value), Some(&name));
                    }),
                });
                if self.insides.get(id).is_some() {
                    self.execution(id).input = Input::Event { key, event };
                }
            }
            Input::Going(going) => {
                let projection = self.projection(number);
                self.invoke(doors, id, &mut |host, sink| going.put(host, projection, sink));
            }
            Input::Stream(mut run) => {
                let entries = self.read_stream(doors, number, &mut run);
                let key = run.key.clone();
                self.execution(id).input = Input::Stream(run);
                match entries {
                    Ok(entries) if entries.is_empty() => self.finish(doors, id, Status::Done),
                    Ok(entries) => self.invoke(doors, id, &mut |_, sink| {
                        entries.put(&key, sink);
                    }),
                    Err(error) => {
                        self.execution(id).errors.push(error);
                        self.finish(doors, id, Status::Done);
                    }
                }
            }
            Input::Batch(batch) => {
                self.execution(id).input = Input::Batch(batch);
                if let Some(registration) = self.registrations.by_number.get_mut(&number) {
                    registration.in_flight += 1;
                }
                self.start_batch(doors, id);
            }
            Input::None => unreachable!("what waits has something to read"),
        }
    }

    fn projection(&self, number: RegistrationNumber) -> Projection {
        match &self.registrations.by_number[&number].trigger {
            Trigger::Keys(keys) => keys.projection,
            Trigger::Command(_) | Trigger::Stream(_) | Trigger::Cron(_) => Projection::KeyAndValue,
        }
    }

    /// Sends an execution to its worker, with all it reads.
    fn invoke(
        &mut self,
        doors: &mut Doors,
        id: ExecutionId,
        fill: &mut dyn FnMut(&mut dyn crate::host::Host, &mut dyn crate::worker::RecordSink),
    ) {
        let now_us = doors.host.monotonic_us();
        let execution = self.executions.get_mut(&id).expect("it is being started");
        let session = self.sessions.by_number.get_mut(&execution.session);
        let session = session.expect("a session outlives its executions");
        let worker = session.worker().expect("a session that accepts has a worker");

        execution.status = Status::Running;
        if execution.arrived_us == 0 {
            execution.arrived_us = now_us;
        }
        let inside = self.insides.get(id).map(|inside| inside.may_suspend);
        let line = match &execution.input {
            Input::Stream(run) => run.line.filter(|_| inside.is_none()),
            _ => None,
        };
        let is_ahead = line.is_some_and(|line| !session.lines.insert(line));
        if let Some(line) = line.filter(|_| is_ahead) {
            session.ahead.push((line, id));
        } else if inside.is_none() {
            session.order.push_back(id);
        }
        if is_ahead {
            // It begins when the one before it is over.
        } else if inside.is_some() || session.order.len() <= self.config.size(Key::ExecutionThreads)
        {
            execution.started_us = Some(now_us);
        }
        if inside.is_none()
            && let Origin::Registration(number) = execution.origin
            && let Some(registration) = self.registrations.by_number.get_mut(&number)
        {
            registration.in_flight += 1;
        }
        let Doors { host, workers } = doors;
        let function = execution.function;
        let plan = execution.plan.clone();
        let fill = &mut |sink: &mut dyn crate::worker::RecordSink| {
            sink.show(&plan.visible);
            fill(*host, sink);
        };
        match (inside, line) {
            (None, Some(line)) => workers.invoke_in_line(worker, line, id, function, fill),
            (None, None) => workers.invoke(worker, id, function, fill),
            (Some(may_suspend), _) => {
                workers.invoke_inside(worker, id, function, may_suspend, fill)
            }
        }
        self.watch_limits(doors);
    }

    /// Drops the executions of a registration that have not started.
    pub(crate) fn abort_pending(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let pending = std::mem::take(&mut registration.pending);
        self.queued -= pending.len();
        for id in pending {
            self.finish(doors, id, Status::Aborted);
        }
        // Before one is aborted, lest the next one of its stream begin in its place.
        self.withdraw_ahead(doors, number);
        for id in self.waiting_in_worker(number) {
            self.abort_waiting_in_worker(doors, id);
        }
    }

    /// Invocations of a registration that the worker has, but no thread of it.
    fn waiting_in_worker(&self, number: RegistrationNumber) -> Vec<ExecutionId> {
        let Some(registration) = self.registrations.by_number.get(&number) else {
            return Vec::new();
        };
        let order = &self.sessions.by_number[&registration.session].order;
        let waits = |id: &&ExecutionId| {
            let execution = &self.executions[id];
            execution.origin == Origin::Registration(number) && execution.started_us.is_none()
        };
        order.iter().filter(waits).copied().collect()
    }

    /// The worker is told to stop it as soon as it starts; for everybody else it is over now.
    pub(crate) fn abort_waiting_in_worker(&mut self, doors: &mut Doors, id: ExecutionId) {
        let session = self.execution(id).session;
        if let Some(worker) = self.sessions.by_number[&session].worker() {
            doors.workers.abort(worker, id);
        }
        self.finish(doors, id, Status::Aborted);
    }

    /// Ends a registration. What its executions still do, they do to the end.
    pub(crate) fn unregister(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        pending: Pending,
    ) {
        self.registrations.retire(number);
        self.holds.look_again();
        self.tell_interest(doors);
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let is_stream = matches!(registration.trigger, Trigger::Stream(_));
        for id in std::mem::take(&mut registration.kept) {
            self.forget_execution(id);
        }
        if pending == Pending::Abort || is_stream {
            self.abort_pending(doors, number);
        }
        self.drop_if_drained(doors, number);
    }

    /// The last trace of an ended registration goes with its last execution, and the session with its last registration.
    pub(crate) fn drop_if_drained(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(registration) = self.registrations.by_number.get(&number) else { return };
        let is_drained = registration.pending.is_empty() && registration.in_flight == 0;
        if !registration.retired || !is_drained {
            return;
        }
        let (session, function) = (registration.session, registration.function);
        self.registrations.by_number.remove(&number);
        if let Some(session) = self.sessions.by_number.get_mut(&session) {
            session.registrations.retain(|other| *other != number);
            if let Some(worker) = session.worker() {
                doors.workers.forget(worker, function);
            }
        }
        self.end_session_if_idle(doors, session);
    }
}

/// What becomes of executions that have not started when their registration ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Keep,
    Abort,
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};

    fn in_order() -> Stage {
        let kwargs = [("trigger", text("t")), ("inorder", Argument::Bool(true))];
        Stage::registered(plan("CommandReader", &[StepKind::Map]), &kwargs)
    }

    #[test]
    fn a_trigger_goes_straight_to_the_worker_and_its_results_are_the_reply() {
        let mut stage = Stage::with_trigger();
        assert_eq!(stage.command("RG.TRIGGER t a b"), "…");
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [t a b]"]);
        stage.done(WORKER, 1, vec![text("['t', 'a', 'b']")]);
        assert_eq!(stage.reply(), "*1|$15|['t', 'a', 'b']|");
        assert_eq!(stage.command("RG.DUMPEXECUTIONS"), "*0|");
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
    }

    #[test]
    fn the_first_error_is_the_reply_and_the_last_error() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.failed(WORKER, 1, "['no\\n']");
        assert_eq!(stage.reply(), "-['no\\n']|");
        assert_eq!(stage.statistics(), (1, 0, 1, 0, Some("['no\\n']".into())));
        stage.command("RG.TRIGGER t");
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.statistics(), (2, 1, 1, 0, Some("['no\\n']".into())));
    }

    #[test]
    fn a_trigger_with_a_key_gives_the_function_all_its_arguments() {
        let mut stage = Stage::with_trigger();
        assert_eq!(stage.command("RG.TRIGGERONKEY t key a"), "…");
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [t key a]"]);
    }

    #[test]
    fn a_trigger_is_refused_where_nothing_may_block() {
        let mut stage = Stage::with_trigger();
        let refused = stage.command_of(CLIENT, "RG.TRIGGER t", false);
        assert!(refused.contains("blocking is not allowed"), "{refused}");
        assert_eq!(stage.command("RG.TRIGGER nosuch"), "-ERR subcommand not found|");
    }

    #[test]
    fn an_ordered_registration_runs_one_execution_after_the_other() {
        let mut stage = in_order();
        stage.command("RG.TRIGGER t a");
        stage.command("RG.TRIGGER t b");
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [t a]"]);
        stage.done(WORKER, 1, vec![]);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [t b]"]);
    }

    #[test]
    fn more_than_a_window_of_invocations_waits_in_the_engine() {
        let mut stage = Stage::with_trigger();
        for _ in 0..600 {
            stage.command("RG.TRIGGER t");
        }
        assert_eq!(stage.sent().len(), 512);
        assert!(
            !stage.engine.has_work() || {
                stage.work();
                stage.sent().is_empty()
            }
        );
        stage.done(WORKER, 1, vec![]);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e513 f0 [t]"]);
    }

    #[test]
    fn a_full_queue_refuses_and_the_sum_of_the_statistics_stays_right() {
        let mut stage = in_order();
        stage.command("RG.CONFIGSET function-queue-max 1");
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
        assert_eq!(
            stage.command("RG.TRIGGER t"),
            "-ERR Could not trigger execution, function-queue-max is reached: 1 executions wait|"
        );
        stage.done(WORKER, 1, vec![]);
        stage.work();
        stage.done(WORKER, 2, vec![]);
        let (triggered, succeeded, failed, aborted, _) = stage.statistics();
        assert_eq!((triggered, succeeded, failed, aborted), (3, 2, 0, 1));
    }

    #[test]
    fn unregistering_lets_what_runs_and_waits_go_to_its_end() {
        let mut stage = in_order();
        stage.command("RG.TRIGGER t a");
        stage.command("RG.TRIGGER t b");
        stage.sent();
        assert_eq!(stage.command(&format!("RG.UNREGISTER {}", id(1))), "+OK|");
        assert_eq!(stage.command("RG.TRIGGER t"), "-ERR subcommand not found|");
        assert_eq!(stage.command("RG.DUMPREGISTRATIONS"), "*0|");
        stage.done(WORKER, 1, vec![text("1")]);
        stage.work();
        stage.done(WORKER, 2, vec![text("2")]);
        assert_eq!(stage.replies(), ["*1|$1|1|", "*1|$1|2|"]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [t b]", "forget w0 f0", "kill w0"]);
    }

    #[test]
    fn unregistering_may_abort_what_waits_but_not_what_runs() {
        let mut stage = in_order();
        stage.command("RG.TRIGGER t a");
        stage.command("RG.TRIGGER t b");
        stage.sent();
        assert_eq!(stage.command(&format!("RG.UNREGISTER {} abortpending", id(1))), "+OK|");
        assert_eq!(stage.reply(), "-ERR execution was aborted before it started|");
        assert_eq!(stage.sent(), [""; 0]);
        stage.done(WORKER, 1, vec![text("1")]);
        assert_eq!(stage.reply(), "*1|$1|1|");
        assert_eq!(stage.sent(), ["forget w0 f0", "kill w0"]);
    }

    #[test]
    fn what_waits_in_the_worker_for_a_thread_counts_as_waiting() {
        let mut stage = Stage::with_trigger();
        for _ in 0..4 {
            stage.command("RG.TRIGGER t");
        }
        stage.sent();
        let dump = stage.command("RG.DUMPEXECUTIONS");
        assert_eq!((dump.matches("running").count(), dump.matches("created").count()), (3, 1));
        stage.command(&format!("RG.UNREGISTER {} ABORTPENDING", id(1)));
        assert_eq!(stage.sent(), ["abort w0 e4"]);
        assert_eq!(stage.reply(), "-ERR execution was aborted before it started|");
    }

    #[test]
    fn nothing_is_registered_twice_and_nothing_unknown_is_unregistered() {
        let mut stage = Stage::new();
        let refused = stage.command(&format!("RG.UNREGISTER {}", id(1)));
        assert_eq!(refused, "-execution is not registered|");
    }
}
