//! How executions come into being, end, and are forgotten.

use super::{Execution, Input, Origin, Status, Stop, Waiting, write_outcome, write_results};
use crate::config::Key;
use crate::engine::{Doors, Engine, reply_to};
use crate::identifier::RegistrationNumber;
use crate::plan::Argument;
use crate::registrations::{Failure, Outcome, Times};
use crate::worker::{ExecutionId, LineId};

impl Engine {
    /// `is_listed`: it counts for MaxExecutions. Those that vanish with their reply do not.
    pub(crate) fn add_execution(
        &mut self,
        id: ExecutionId,
        mut execution: Execution,
        is_listed: bool,
    ) {
        execution.links = self.cascade.links();
        let session = self.sessions.by_number.get_mut(&execution.session);
        session.expect("executions belong to sessions that are there").unfinished += 1;
        self.executions.insert(id, execution);
        if !is_listed {
            return;
        }
        self.listed.insert(id);
        while self.listed.len() > self.config.size(Key::MaxExecutions) {
            let oldest = self.listed.pop_first().expect("the list is longer than its least cap");
            if let Some(execution) = self.executions.get_mut(&oldest) {
                execution.evicted = true;
                if execution.status.is_over() {
                    self.executions.remove(&oldest);
                }
            }
        }
    }

    pub(crate) fn forget_execution(&mut self, id: ExecutionId) {
        self.executions.remove(&id);
        self.listed.remove(&id);
    }

    /// What an execution has brought forth since its last message.
    pub(crate) fn progress(
        &mut self,
        doors: &mut Doors,
        id: ExecutionId,
        mut records: Vec<Argument>,
        mut errors: Vec<String>,
        consumed: usize,
    ) {
        let now_us = doors.host.monotonic_us();
        let bytes_max = self.config.number(Key::FunctionResultsBytes).unsigned_abs();
        let execution = self.execution(id);
        // An invocation speaks: whatever its place in the queue, a thread has it.
        execution.started_us.get_or_insert(now_us);
        execution.results_bytes += records.iter().map(Argument::weight).sum::<usize>() as u64;
        let overflows = bytes_max > 0 && execution.results_bytes > bytes_max;
        if overflows {
            // What came before stays: it is within the limit.
        } else if execution.results.is_empty() {
            execution.results = records;
        } else {
            execution.results.append(&mut records);
        }
        execution.errors.append(&mut errors);
        if let Some(batch) = execution.batch() {
            batch.in_flight = batch.in_flight.saturating_sub(consumed);
        }
        if overflows {
            self.stop(doors, id, Stop::Overflowed { bytes_max });
        }
    }

    /// The one end of every execution: statistics, replies, and what is kept.
    pub(crate) fn finish(&mut self, doors: &mut Doors, id: ExecutionId, status: Status) {
        let now_us = doors.host.monotonic_us();
        let Some(execution) = self.executions.get_mut(&id) else { return };
        if execution.status.is_over() {
            return;
        }
        let was_running = execution.status == Status::Running;
        execution.status = status;
        if let Some(started_us) = execution.started_us {
            execution.total_us = now_us.saturating_sub(started_us);
        }
        name_limit(execution);
        let (session, origin) = (execution.session, execution.origin);
        let input = std::mem::replace(&mut execution.input, Input::None);

        let line = match &input {
            Input::Stream(run) => run.line,
            _ => None,
        };
        self.leave_session(id, session, line, now_us);
        self.holds.look_again();
        let stream = match origin {
            Origin::Registration(number) => {
                self.settle(doors, number, id, input, was_running, now_us)
            }
            Origin::Script | Origin::Unblocking | Origin::Step => {
                self.count_run(doors.host.now_ms(), id);
                None
            }
        };
        self.answer_clients(doors, id);
        if origin == Origin::Step {
            self.hand_back(doors, id);
        }
        self.leave_cause(doors, id);
        self.inside_ended(doors, id);
        self.keep_or_forget(id, origin);
        if let Origin::Registration(number) = origin {
            // Not before it is off the books: what comes next may push it out of the list.
            match stream {
                Some(key) if was_running => self.go_on_with_stream(doors, number, &key),
                // It found nothing as it started: whoever started it goes on.
                Some(key) => self.consider_stream(doors, number, &key),
                None => {}
            }
            self.mark_ready(number);
            self.drop_if_drained(doors, number);
        }
        self.end_session_if_idle(doors, session);
    }

    /// Its place in the worker goes to the next one.
    fn leave_session(
        &mut self,
        id: ExecutionId,
        session: crate::session::SessionNumber,
        line: Option<LineId>,
        now_us: u64,
    ) {
        let threads = self.config.size(Key::ExecutionThreads);
        let session = self.sessions.by_number.get_mut(&session);
        let session = session.expect("a session outlives its executions");
        session.unfinished -= 1;
        session.beside_queue.retain(|other| *other != id);
        let was_full = !session.accepts();
        session.ahead.retain(|(_, other)| *other != id);
        let place = session.order.iter().position(|other| *other == id);
        if let Some(place) = place {
            session.order.remove(place);
            if let Some(next) = line.and_then(|line| session.next_in_line(line)) {
                session.order.push_back(next);
            }
        }
        if place.is_some() {
            // Somebody else has its thread, and perhaps one more has come to stand in the queue.
            for next in session.order.iter().take(threads).rev().take(2) {
                if let Some(next) = self.executions.get_mut(next) {
                    next.started_us.get_or_insert(now_us);
                }
            }
        }
        if was_full && session.accepts() {
            for number in session.registrations.clone() {
                self.mark_ready(number);
            }
        }
    }

    /// Nothing makes a run wait: its lag is its duration.
    fn count_run(&mut self, now_ms: i64, id: ExecutionId) {
        let execution = &self.executions[&id];
        let duration_us = execution.total_us;
        let times = execution.started_us.map(|_| Times { duration_us, lag_us: duration_us });
        self.runs.triggered += 1;
        self.runs.ended(outcome_of(execution), times, now_ms);
    }

    /// Gives the stream to go on with, if it was one of a stream.
    fn settle(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        id: ExecutionId,
        input: Input,
        was_running: bool,
        now_us: u64,
    ) -> Option<Box<[u8]>> {
        let registration = self.registrations.by_number.get_mut(&number)?;
        let execution = &self.executions[&id];
        let error = execution.errors.first().cloned();
        let now_ms = doors.host.now_ms();
        // The oldest entry of a stream may have waited for others, or for the batch before.
        let since_ms = match &input {
            Input::Stream(run) => run.since_ms,
            _ => None,
        };
        let times = execution.started_us.map(|_| Times {
            duration_us: execution.total_us,
            lag_us: match since_ms {
                Some(since_ms) => (now_ms - since_ms).max(0).unsigned_abs() * 1000,
                None => now_us.saturating_sub(execution.arrived_us),
            },
        });
        registration.statistics.ended(outcome_of(execution), times, now_ms);
        let was_in_flight = was_running || self.insides.runs(id);
        registration.in_flight -= usize::from(was_in_flight);
        let Input::Stream(run) = input else { return None };
        let status = execution.status;
        let had_begun = execution.started_us.is_some();
        let failure = error.as_deref().map(|error| Failure { error, had_begun });
        self.stream_run_ended(doors, number, *run, status, failure)
    }

    fn answer_clients(&mut self, doors: &mut Doors, id: ExecutionId) {
        let execution = self.execution(id);
        let client = execution.client.take();
        let waiting = std::mem::take(&mut execution.waiting);
        if client.is_none() && waiting.is_empty() {
            return;
        }
        let mut wire = std::mem::take(&mut self.wire);
        let execution = &self.executions[&id];
        if let Some(client) = client {
            wire.clear();
            match execution.origin {
                Origin::Registration(_) => {
                    let form = self.registrations.reply_form(execution);
                    write_outcome(execution, form, &mut reply_to(&mut wire));
                }
                _ => write_results(execution, &mut reply_to(&mut wire)),
            }
            doors.host.reply(client, &wire);
        }
        for waiting in waiting {
            wire.clear();
            match waiting {
                Waiting::ForResults(_) => write_results(execution, &mut reply_to(&mut wire)),
                Waiting::ForEnd(_) => reply_to(&mut wire).ok(),
            }
            doors.host.reply(waiting.client(), &wire);
        }
        self.wire = wire;
    }

    /// The step that ran it may await what came of it.
    fn hand_back(&mut self, doors: &mut Doors, id: ExecutionId) {
        let execution = &self.executions[&id];
        if let Some(worker) = self.sessions.by_number[&execution.session].worker() {
            doors.workers.hand_back(worker, id, &execution.results, &execution.errors);
        }
    }

    fn keep_or_forget(&mut self, id: ExecutionId, origin: Origin) {
        let is_evicted = self.executions[&id].evicted;
        match origin {
            Origin::Unblocking if !is_evicted => {}
            Origin::Registration(number) if !is_evicted => self.keep_for(number, id),
            _ => self.forget_execution(id),
        }
    }

    /// A registration on keys or streams keeps its last executions; those of commands went with their reply.
    fn keep_for(&mut self, number: RegistrationNumber, id: ExecutionId) {
        let max = self.config.size(Key::MaxExecutionsPerRegistration);
        let Some(registration) = self.registrations.get_listed(number) else {
            return self.forget_execution(id);
        };
        if !registration.is_kept() {
            return self.forget_execution(id);
        }
        // Those that MaxExecutions pushed out are gone already.
        while registration
            .kept
            .pop_front_if(|oldest| !self.executions.contains_key(oldest))
            .is_some()
        {}
        registration.kept.push_back(id);
        let is_over = max > 0 && registration.kept.len() > max;
        if let Some(oldest) = registration.kept.pop_front_if(|_| is_over) {
            self.forget_execution(oldest);
        }
    }
}

fn outcome_of(execution: &Execution) -> Outcome<'_> {
    match (execution.errors.first(), execution.status) {
        (Some(error), _) => Outcome::Failed(error),
        (None, Status::Aborted) => Outcome::Aborted(None),
        (None, _) => Outcome::Succeeded,
    }
}

/// The limit's name comes before the traceback of the exception that carried it out.
fn name_limit(execution: &mut Execution) {
    // Who asked for it by RG.ABORTEXECUTION knows, and RedisGears' clients expect the bare exception.
    let Some(stop) = execution.stop.filter(|stop| *stop != Stop::Asked) else { return };
    match execution.errors.first_mut() {
        Some(error) if error.starts_with(&stop.to_string()) => {}
        Some(error) => *error = format!("{stop}; {error}"),
        // It came to its end before it was stopped. Results that were left out are an error all the same.
        None if matches!(stop, Stop::Overflowed { .. }) => execution.errors.push(stop.to_string()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Plan, StepKind};
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};

    fn map() -> Plan {
        plan("KeysReader", &[StepKind::Map])
    }

    fn count() -> Plan {
        plan("KeysReader", &[StepKind::Count, StepKind::ToText, StepKind::Collect])
    }

    #[test]
    fn a_blocking_run_is_answered_and_forgotten() {
        let mut stage = Stage::running(map(), "");
        stage.done(WORKER, 0, vec![text("a")]);
        assert_eq!(stage.reply(), "*2|*1|$1|a|*0|");
        assert_eq!(stage.command("RG.DUMPEXECUTIONS"), "*0|");
        assert_eq!(stage.sent(), ["kill w0"]);
    }

    #[test]
    fn an_unblocking_run_gives_its_id_and_is_kept_until_dropped() {
        let mut stage = Stage::running(map(), " UNBLOCKING");
        assert_eq!(stage.reply(), format!("$42|{}|", id(0)));
        let (get, drop) =
            (format!("RG.GETRESULTS {}", id(0)), format!("RG.DROPEXECUTION {}", id(0)));
        assert_eq!(stage.command(&get), "-execution is still running|");
        assert_eq!(
            stage.command(&drop),
            "-can not drop a not yet finished execution, abort it first.|"
        );
        stage.done(WORKER, 0, vec![text("a")]);
        assert_eq!(stage.command(&get), "*2|*1|$1|a|*0|");
        assert_eq!(
            stage.command("RG.DUMPEXECUTIONS"),
            format!("*1|*6|$11|executionId|$42|{}|$6|status|$4|done|$10|registered|:0|", id(0))
        );
        assert_eq!(stage.command(&drop), "+OK|");
        assert_eq!(stage.command(&get), "-execution plan does not exist|");
    }

    #[test]
    fn errors_stand_beside_results_and_the_run_is_done_all_the_same() {
        let mut stage = Stage::running(map(), " UNBLOCKING");
        stage.progress(WORKER, 0, vec![text("a")], vec!["['no\\n']".into()], true);
        let get = stage.command(&format!("RG.GETRESULTS {}", id(0)));
        assert_eq!(get, "*2|*1|$1|a|*1|$8|['no\\n']|");
        assert!(stage.command(&format!("RG.GETEXECUTION {}", id(0))).contains("$4|done|"));
    }

    #[test]
    fn results_may_be_waited_for_by_others() {
        let mut stage = Stage::running(map(), " UNBLOCKING");
        stage.replies();
        let wait = format!("RG.GETRESULTSBLOCKING {}", id(0));
        assert_eq!(stage.command(&wait), "…");
        assert!(stage.command_of(CLIENT, &wait, false).contains("blocking is not allowed"));
        stage.done(WORKER, 0, vec![]);
        assert_eq!(stage.reply(), "*2|*0|*0|");
        assert_eq!(stage.command(&wait), "*2|*0|*0|");
    }

    #[test]
    fn a_client_that_is_gone_is_not_answered_and_its_run_ends_all_the_same() {
        let mut stage = Stage::running(map(), "");
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        stage.done(WORKER, 0, vec![]);
        assert_eq!(stage.replies(), [""; 0]);
        assert!(stage.engine.executions.is_empty());
    }

    #[test]
    fn the_oldest_executions_make_room_for_new_ones() {
        let mut stage = Stage::with_keys(3);
        assert_eq!(stage.command("RG.CONFIGSET MaxExecutions 2"), "*1|+OK|");
        for number in 0..3 {
            stage.command("RG.PYEXECUTE code UNBLOCKING");
            stage.run(crate::worker::WorkerId(number), 0, count());
            stage.script_done(crate::worker::WorkerId(number));
            stage.work();
        }
        let kept: Vec<u64> = stage.engine.executions.keys().map(|id| id.0).collect();
        assert_eq!(kept, [1, 2]);
    }

    #[test]
    fn an_execution_that_was_pushed_out_goes_when_it_is_over() {
        let mut stage = Stage::running(map(), " UNBLOCKING");
        stage.command("RG.CONFIGSET MaxExecutions 1");
        stage.command("RG.PYEXECUTE code UNBLOCKING");
        stage.run(crate::worker::WorkerId(1), 0, count());
        assert_eq!(stage.engine.executions.len(), 2);
        stage.done(WORKER, 0, vec![]);
        assert_eq!(stage.engine.executions.len(), 1);
    }

    #[test]
    fn a_registration_keeps_its_last_executions() {
        let mut stage = Stage::registered(map(), &[]);
        stage.command("RG.CONFIGSET MaxExecutionsPerRegistration 2");
        for number in 1..=3 {
            stage.event("set", "k");
            stage.work();
            stage.done(WORKER, number, vec![text("r")]);
        }
        let kept: Vec<u64> = stage.engine.executions.keys().map(|id| id.0).collect();
        assert_eq!(kept, [2, 3]);
        let got = stage.command(&format!("RG.GETRESULTS {}", id(3)));
        assert_eq!(got, "*2|*1|$1|r|*0|");
        assert_eq!(stage.command(&format!("RG.UNREGISTER {}", id(1))), "+OK|");
        assert!(stage.engine.executions.is_empty());
    }

    #[test]
    fn results_that_never_end_do_not_fill_the_server() {
        let mut stage = Stage::running(map(), "");
        stage.command("RG.CONFIGSET function-results-bytes 100");
        stage.progress(WORKER, 0, vec![text("a")], vec![], false);
        stage.sent();
        stage.progress(WORKER, 0, vec![text("b"); 100], vec![], false);
        assert_eq!(stage.sent(), ["abort w0 e0"]);
        stage.progress(WORKER, 0, vec![text("c"); 100], vec![], false);
        stage.done(WORKER, 0, vec![]);
        let reply = stage.reply();
        assert!(reply.starts_with("*2|*1|$1|a|*1|"), "{reply}");
        assert!(reply.contains("its results exceed function-results-bytes (100)"), "{reply}");
    }

    #[test]
    fn an_answer_that_is_too_large_is_an_error_even_when_it_came_at_once() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.CONFIGSET function-results-bytes 100");
        stage.command("RG.TRIGGER t");
        stage.done(WORKER, 1, vec![text("b"); 100]);
        assert!(stage.reply().starts_with("-execution was stopped: its results exceed"));
        assert_eq!(stage.statistics().2, 1);
    }

    #[test]
    fn a_registration_that_keeps_all_it_may_forgets_what_made_room_for_others() {
        let mut stage = Stage::registered(map(), &[]);
        stage.command("RG.CONFIGSET MaxExecutionsPerRegistration 0 MaxExecutions 5");
        for number in 1..=100 {
            stage.event("set", "k");
            stage.work();
            stage.done(WORKER, number, vec![]);
        }
        assert_eq!(stage.engine.executions.len(), 5);
        let kept = &stage.engine.registrations.listed().next().unwrap().1.kept;
        assert_eq!(kept.len(), 5);
    }

    #[test]
    fn a_run_in_a_step_starts_at_once_and_is_forgotten_when_done() {
        let mut stage = Stage::with_trigger();
        stage.host.keys.insert(b"k".to_vec(), b"v".to_vec());
        stage.command("RG.TRIGGER t");
        stage.run(WORKER, 5, map());
        stage.work();
        let sent = stage.sent();
        assert_eq!(
            sent[1..],
            [
                "open w0 e2 f5 from step 0 Fed",
                &format!("answer w0 t5 {}", id(2)),
                "feed w0 e2 [k=v]",
                "feed w0 e2 [] last"
            ]
        );
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.engine.executions.len(), 1);
    }
}
