//! How executions come into being, end, and are forgotten.

use super::{Execution, Input, Origin, Status, Waiting, write_outcome, write_results};
use crate::config::Key;
use crate::engine::{Doors, Engine, reply_to};
use crate::identifier::RegistrationNumber;
use crate::plan::Argument;
use crate::registrations::{Outcome, Trigger};
use crate::worker::ExecutionId;

impl Engine {
    /// `is_listed`: it counts for MaxExecutions. Those that vanish with their reply do not.
    pub(crate) fn add_execution(&mut self, id: ExecutionId, execution: Execution, is_listed: bool) {
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
        let execution = self.execution(id);
        if execution.status != Status::Running {
            return;
        }
        // An invocation speaks: whatever its place in the queue, a thread has it.
        execution.started_us.get_or_insert(now_us);
        if execution.results.is_empty() {
            execution.results = records;
        } else {
            execution.results.append(&mut records);
        }
        execution.errors.append(&mut errors);
        if let Some(batch) = execution.batch() {
            batch.in_flight = batch.in_flight.saturating_sub(consumed);
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
        // The limit's name comes before the traceback of the exception that carried it out.
        if let Some(stop @ super::Stop::TimedOut { .. }) = execution.stop
            && let Some(error) = execution.errors.first_mut()
            && !error.starts_with(&stop.to_string())
        {
            *error = format!("{stop}; {error}");
        }
        let (session, origin) = (execution.session, execution.origin);
        let input = std::mem::replace(&mut execution.input, Input::None);

        self.leave_session(id, session, now_us);
        if let Origin::Registration(number) = origin {
            self.settle(doors, number, id, input, was_running);
        }
        self.answer_clients(doors, id);
        self.keep_or_forget(id, origin);
        if let Origin::Registration(number) = origin {
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
        now_us: u64,
    ) {
        let threads = self.config.size(Key::ExecutionThreads);
        let session = self.sessions.by_number.get_mut(&session);
        let session = session.expect("a session outlives its executions");
        session.unfinished -= 1;
        session.batches.retain(|batch| *batch != id);
        let was_full = !session.accepts();
        let Some(place) = session.order.iter().position(|other| *other == id) else { return };
        session.order.remove(place);
        if place < threads
            && let Some(next) = session.order.get(threads - 1)
            && let Some(next) = self.executions.get_mut(next)
        {
            next.started_us.get_or_insert(now_us);
        }
        if was_full && session.accepts() {
            for number in session.registrations.clone() {
                self.mark_ready(number);
            }
        }
    }

    fn settle(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        id: ExecutionId,
        input: Input,
        was_running: bool,
    ) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let execution = &self.executions[&id];
        let error = execution.errors.first().cloned();
        let outcome = match (&error, execution.status) {
            (Some(error), _) => Outcome::Failed(error),
            (None, Status::Aborted) => Outcome::Aborted(None),
            (None, _) => Outcome::Succeeded,
        };
        registration.statistics.ended(outcome, execution.total_us);
        registration.in_flight -= usize::from(was_running);
        if let Input::Stream(run) = input {
            let status = execution.status;
            self.stream_run_ended(doors, number, *run, status, error.as_deref());
        }
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
                Origin::Registration(_) => write_outcome(execution, &mut reply_to(&mut wire)),
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
        if matches!(registration.trigger, Trigger::Command(_)) {
            return self.forget_execution(id);
        }
        registration.kept.push_back(id);
        let is_over = max > 0 && registration.kept.len() > max;
        if let Some(oldest) = registration.kept.pop_front_if(|_| is_over) {
            self.forget_execution(oldest);
        }
    }
}
