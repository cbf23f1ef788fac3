//! Functions that run inside the command which triggers them: registrations with mode='sync'.
//!
//! The command waits on the host's stack: the host begins the function, then serves whoever has the data until the
//! function is over. What the function calls may trigger the next one; then frames of the host and leases of the
//! engine lie on each other alike.

use std::collections::BTreeMap;

use crate::engine::{Doors, Engine};
use crate::execution::{Execution, Input, Status, Stop, write_outcome};
use crate::host::{ClientId, Level};
use crate::identifier::RegistrationNumber;
use crate::owed::Place;
use crate::session::Process;
use crate::worker::ExecutionId;

/// Functions that may wait for each other. Deeper than this a function most likely triggers itself.
const DEPTH_MAX: usize = 32;

/// What has become of a function inside a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Inside {
    /// Serve the worker that has the data, and ask again.
    Runs,
    /// It waits for something to happen: the command is done, and a client that may wait gets the reply later.
    Suspended,
    /// Its outcome as a RESP2 reply.
    Over(Vec<u8>),
}

/// Who waits around a function that runs inside a command.
pub(crate) struct Surroundings {
    /// Gets the reply, should the function be suspended.
    pub(crate) client: Option<ClientId>,
    pub(crate) may_suspend: bool,
    /// A frame of the host asks for the outcome.
    pub(crate) awaited: bool,
    pub(crate) state: Inside,
}

#[derive(Default)]
pub(crate) struct Insides {
    by_execution: BTreeMap<ExecutionId, Surroundings>,
    awaited: usize,
}

impl Insides {
    pub(crate) fn get(&self, id: ExecutionId) -> Option<&Surroundings> {
        self.by_execution.get(&id)
    }

    /// In a command; not one that its command goes on without.
    pub(crate) fn runs(&self, id: ExecutionId) -> bool {
        self.get(id).is_some_and(|inside| inside.state == Inside::Runs)
    }

    fn remove(&mut self, id: ExecutionId) -> Option<Surroundings> {
        let removed = self.by_execution.remove(&id);
        self.awaited -= usize::from(removed.as_ref().is_some_and(|inside| inside.awaited));
        removed
    }

    pub(crate) fn of_client(&self, client: ClientId) -> Vec<ExecutionId> {
        let of_client = |(id, inside): (&ExecutionId, &Surroundings)| {
            (inside.client == Some(client)).then_some(*id)
        };
        self.by_execution.iter().filter_map(of_client).collect()
    }

    pub(crate) fn client_gone(&mut self, client: ClientId) {
        for inside in self.by_execution.values_mut() {
            inside.client = inside.client.filter(|other| *other != client);
        }
    }
}

impl Engine {
    /// Whether a command waits for a function on the host's stack.
    pub(crate) fn is_inside_a_command(&self) -> bool {
        self.insides.awaited > 0
    }

    /// Prepares a function for a command that will begin it.
    pub(crate) fn add_inside(
        &mut self,
        number: RegistrationNumber,
        input: Input,
        client: Option<ClientId>,
        may_suspend: bool,
    ) -> ExecutionId {
        let registration = self.registrations.by_number.get_mut(&number);
        let registration = registration.expect("only what is registered is triggered");
        registration.statistics.triggered += 1;
        let execution = Execution::of_registration(number, registration, input);
        let is_listed = registration.is_kept();
        let id = self.identifiers.next_execution();
        self.add_execution(id, execution, is_listed);
        self.surround(id, client, may_suspend, true);
        id
    }

    /// From here on the execution is one that runs inside a command, or at least with the data to itself.
    pub(crate) fn surround(
        &mut self,
        id: ExecutionId,
        client: Option<ClientId>,
        may_suspend: bool,
        awaited: bool,
    ) {
        let inside = Surroundings { client, may_suspend, awaited, state: Inside::Runs };
        // One that the command went on without may still stand there.
        self.insides.remove(id);
        self.insides.by_execution.insert(id, inside);
        self.insides.awaited += usize::from(awaited);
        let number = self.executions.get(&id).and_then(|execution| execution.origin.registration());
        if let Some(number) = number
            && let Some(registration) = self.registrations.by_number.get_mut(&number)
        {
            registration.in_flight += 1;
        }
    }

    /// Starts a function inside the command that triggered it.
    pub fn begin_inside(&mut self, doors: &mut Doors, id: ExecutionId) {
        let Some(execution) = self.executions.get(&id) else { return };
        if execution.status != Status::Created {
            return;
        }
        let (origin, session) = (execution.origin, execution.session);
        let number = origin.registration().filter(|number| {
            let registration = self.registrations.by_number.get(number);
            registration.is_some_and(|registration| !registration.retired)
        });
        let Some(number) = number else { return self.finish(doors, id, Status::Aborted) };
        let has_worker = self.sessions.by_number[&session].process != Process::Gone;
        let is_first = self.registrations.by_number[&number].pending.is_empty();
        // One that runs now is not kept waiting by another that waits for it.
        let is_nested = self.leases.depth() > 0;
        let is_triggered = self.insides.get(id).is_some_and(|inside| inside.awaited);
        let must_wait = !has_worker || is_triggered && !is_first && !is_nested;
        if must_wait && self.owe(doors, id, Place::Last) {
            return;
        }
        let session = self.sessions.by_number.get_mut(&session);
        let session = session.expect("a session outlives its executions");
        let worker = match session.process {
            _ if self.leases.depth() >= DEPTH_MAX => Err(format!(
                "function was not started: {DEPTH_MAX} functions with mode='sync' wait for each other already; \
                 does what they do trigger them again?"
            )),
            Process::Gone => Err("function was not started: its worker died, and the next one \
                                  starts in a moment"
                .into()),
            Process::Running(worker) | Process::Loading { worker, .. } => Ok(worker),
        };
        match worker {
            Ok(worker) => {
                session.beside_queue.push(id);
                let is_loading = matches!(session.process, Process::Loading { .. });
                self.lend_to_function(doors, worker, id);
                if !is_loading {
                    self.start_queued(doors, number, id);
                }
            }
            Err(error) => {
                doors
                    .host
                    .log(Level::Warning, &format!("{}: {error}", self.identifiers.text(number.0)));
                self.execution(id).errors.push(error);
                self.finish(doors, id, Status::Done);
            }
        }
    }

    /// The session has its functions again: commands wait for some of them.
    pub(crate) fn start_waiting_inside(&mut self, doors: &mut Doors, waiting: Vec<ExecutionId>) {
        for id in waiting {
            let Some(execution) = self.executions.get(&id) else { continue };
            if execution.status == Status::Created
                && let Some(number) = execution.origin.registration()
            {
                self.start_queued(doors, number, id);
            }
        }
    }

    /// The function's thread has left it: what it waits for has not happened yet. The data is everybody's again.
    pub(crate) fn suspended(&mut self, doors: &mut Doors, id: ExecutionId) {
        let Some(inside) = self.insides.by_execution.get_mut(&id) else { return };
        let runs = self.executions.get(&id).is_some_and(|known| known.status == Status::Running);
        if !runs || !inside.may_suspend {
            return;
        }
        inside.state = Inside::Suspended;
        let (client, awaited) = (inside.client, inside.awaited);
        if client.is_some() {
            self.execution(id).client = client;
        }
        if !awaited {
            self.insides.remove(id);
        }
        self.take_back_from_function(doors, id);
    }

    /// The function is over, whatever ended it.
    pub(crate) fn inside_ended(&mut self, doors: &mut Doors, id: ExecutionId) {
        let Some(inside) = self.insides.by_execution.get_mut(&id) else { return };
        if !inside.awaited {
            self.insides.remove(id);
        } else if inside.state == Inside::Runs {
            let execution = &self.executions[&id];
            let mut wire = Vec::new();
            write_outcome(
                execution,
                self.registrations.reply_form(execution),
                &mut crate::engine::reply_to(&mut wire),
            );
            inside.state = Inside::Over(wire);
        }
        self.take_back_from_function(doors, id);
    }

    /// The command goes on without its function.
    pub(crate) fn leave_command(&mut self, id: ExecutionId) {
        let Some(inside) = self.insides.by_execution.get_mut(&id) else { return };
        inside.state = Inside::Suspended;
        if !inside.awaited {
            self.insides.remove(id);
        }
    }

    /// What has become of a function that a command waits for. What is not `Runs` is said once.
    pub fn look_inside(&mut self, id: ExecutionId) -> Inside {
        match self.insides.get(id) {
            Some(Surroundings { state: Inside::Runs, .. }) => Inside::Runs,
            Some(_) => self.insides.remove(id).map_or(Inside::Suspended, |inside| inside.state),
            None => Inside::Suspended,
        }
    }

    /// The time of all who had the data is over.
    pub(crate) fn cut_off_inside(&mut self, doors: &mut Doors, id: ExecutionId, stop: Stop) {
        if self.executions.get(&id).is_some_and(|execution| execution.status == Status::Created) {
            if self.owe(doors, id, Place::First) {
                return;
            }
            self.execution(id).errors.push(stop.to_string());
            self.finish(doors, id, Status::Done);
        } else {
            self.stop(doors, id, stop);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};
    use crate::worker::{ExecutionId, FromWorker, Token, WorkerId};

    fn sync_trigger() -> Stage {
        let kwargs = [("trigger", text("t")), ("mode", text("sync"))];
        Stage::registered(plan("CommandReader", &[StepKind::Map]), &kwargs)
    }

    fn sync_events() -> Stage {
        let kwargs = [("mode", text("sync"))];
        Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs)
    }

    fn execute(stage: &mut Stage, execution: Option<u64>, token: u64, line: &str) {
        let args = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let execution = execution.map(ExecutionId);
        stage.tell(WORKER, FromWorker::Execute { token: Token(token), execution, args });
    }

    fn suspend(stage: &mut Stage, execution: u64) {
        stage.tell(WORKER, FromWorker::Suspended { execution: ExecutionId(execution) });
    }

    #[test]
    fn a_triggered_function_has_the_data_until_it_is_over_and_its_outcome_is_the_reply() {
        let mut stage = sync_trigger();
        assert_eq!(stage.command_of(CLIENT, "RG.TRIGGER t a", false), "inside e1");
        assert_eq!(stage.sent(), ["inside w0 e1 f0 [t a] may not suspend"]);
        assert!(stage.engine.lease().is_some_and(|lease| lease.worker == WORKER));
        assert_eq!(stage.inside(1), None);
        stage.done(WORKER, 1, vec![text("r")]);
        assert_eq!(stage.inside(1), Some("*1|$1|r|".into()));
        assert_eq!(stage.engine.lease(), None);
        assert_eq!(stage.statistics(), (1, 1, 0, 0, None));
        assert!(stage.engine.executions.is_empty() && !stage.engine.is_inside_a_command());
        assert_eq!(stage.replies(), [""; 0]);
    }

    #[test]
    fn the_functions_of_one_event_run_one_after_the_other_with_the_value_as_it_is_then() {
        let mut stage = sync_events();
        stage.command("RG.PYEXECUTE code");
        stage.register(WorkerId(1), 0, plan("KeysReader", &[]), &[("mode", text("sync"))]);
        stage.script_done(WorkerId(1));
        stage.sent();
        assert_eq!(stage.event_inside("set", "k"), [2, 3]);
        assert_eq!(stage.sent(), [""; 0]);
        for (execution, value) in [(2, "first"), (3, "second")] {
            stage.host.keys.insert(b"k".to_vec(), value.into());
            stage.begin(execution);
            let worker = execution - 2;
            let sent = format!("inside w{worker} e{execution} f0 [k={value}(set)]");
            assert_eq!(stage.sent(), [sent]);
            stage.done(WorkerId(worker), execution, vec![]);
            assert!(stage.inside(execution).is_some());
        }
    }

    #[test]
    fn only_the_function_s_own_calls_are_run_while_a_command_waits_for_it() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        stage.sent();
        execute(&mut stage, None, 5, "GET neighbour");
        execute(&mut stage, Some(1), 6, "GET own");
        stage.run_calls();
        assert_eq!(stage.host.calls, ["GET own"]);
        stage.done(WORKER, 1, vec![]);
        // The command is not over before the host has looked.
        stage.run_calls();
        assert_eq!(stage.host.calls, ["GET own"]);
        stage.inside(1);
        assert!(stage.engine.has_calls());
        stage.run_calls();
        assert_eq!(stage.host.calls, ["GET own", "GET neighbour"]);
    }

    #[test]
    fn a_call_of_the_function_may_trigger_the_next_one_inside_it() {
        let mut stage = sync_events();
        assert_eq!(stage.event_inside("set", "a"), [1]);
        stage.begin(1);
        assert_eq!(stage.event_inside("set", "b"), [2]);
        stage.begin(2);
        execute(&mut stage, Some(1), 5, "GET outer");
        execute(&mut stage, Some(2), 6, "GET inner");
        stage.run_calls();
        assert_eq!(stage.host.calls, ["GET inner"]);
        stage.done(WORKER, 2, vec![]);
        stage.inside(2);
        stage.run_calls();
        assert_eq!(stage.host.calls, ["GET inner", "GET outer"]);
    }

    #[test]
    fn functions_that_trigger_themselves_come_to_an_end() {
        let mut stage = sync_events();
        for execution in 1..=32 {
            assert_eq!(stage.event_inside("set", "k"), [execution]);
            stage.begin(execution);
            assert_eq!(stage.inside(execution), None);
        }
        assert_eq!(stage.event_inside("set", "k"), [33]);
        stage.begin(33);
        let refused = stage.inside(33).unwrap();
        assert!(refused.contains("32 functions with mode='sync' wait for each other"), "{refused}");
        assert!(stage.host.logs[0].starts_with(&id(1)), "{:?}", stage.host.logs);
        assert_eq!(stage.statistics().2, 1);
    }

    #[test]
    fn an_atomic_block_of_the_function_needs_no_waiting_and_one_of_others_waits() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        stage.sent();
        let begin = |token, execution| FromWorker::AtomicBegin {
            token: Token(token),
            execution: Option::map(execution, ExecutionId),
        };
        stage.from(WORKER, begin(5, None));
        stage.from(WORKER, begin(6, Some(1)));
        assert_eq!(stage.sent(), ["answer w0 t6 None"]);
        stage.from(WORKER, FromWorker::AtomicEnd { token: Token(7) });
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.sent(), ["answer w0 t7 None"]);
        stage.inside(1);
        stage.run_calls();
        assert_eq!(stage.sent(), ["answer w0 t5 None"]);
    }

    #[test]
    fn a_function_that_keeps_the_data_too_long_is_stopped_and_says_why() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        stage.sent();
        stage.at(5000);
        assert_eq!(stage.sent(), ["abort w0 e1"]);
        stage.failed(WORKER, 1, "['forced\n']");
        let reply = stage.inside(1).unwrap();
        assert!(reply.contains("longer than atomic-max-ms (5000); ['forced"), "{reply}");
        assert_eq!(stage.engine.lease(), None);
    }

    #[test]
    fn one_that_does_not_stop_is_ended_with_its_process_and_those_below_have_had_their_time() {
        let mut stage = sync_events();
        stage.event_inside("set", "a");
        stage.begin(1);
        stage.at(3000);
        stage.event_inside("set", "b");
        stage.begin(2);
        stage.sent();
        stage.at(5000);
        assert_eq!(stage.sent(), ["abort w0 e2"]);
        stage.failed(WORKER, 2, "['forced\n']");
        stage.inside(2);
        stage.at(5001);
        assert_eq!(stage.sent(), ["abort w0 e1"]);
        stage.at(6001);
        assert_eq!(stage.sent()[0], "kill w0");
        assert!(stage.inside(1).unwrap().contains("worker was killed"));
        assert_eq!(stage.engine.lease(), None);
    }

    #[test]
    fn a_worker_that_dies_ends_the_function_and_the_command_goes_on() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        stage.crash(WORKER);
        let reply = stage.inside(1).unwrap();
        assert!(reply.starts_with("-worker was ended by SIGSEGV"), "{reply}");
        assert_eq!(stage.engine.lease(), None);
    }

    #[test]
    fn a_command_waits_for_a_session_that_is_being_restored() {
        let mut stage = sync_trigger();
        stage.crash(WORKER);
        stage.sent();
        stage.command("RG.TRIGGER t");
        let restored = WorkerId(1);
        assert!(stage.engine.lease().is_some_and(|lease| lease.worker == restored));
        assert_eq!(stage.sent(), [""; 0]);
        stage.loaded(restored);
        assert_eq!(stage.sent(), ["inside w1 e1 f0 [t]"]);
        stage.crash(restored);
        stage.inside(1);
        stage.command("RG.TRIGGER t");
        let refused = stage.inside(2).unwrap();
        assert!(refused.contains("its worker died"), "{refused}");
    }

    #[test]
    fn a_suspended_function_gives_the_data_back_and_answers_its_client_later() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        assert_eq!(stage.sent(), ["inside w0 e1 f0 [t]"]);
        suspend(&mut stage, 1);
        assert_eq!(stage.inside(1), Some("…".into()));
        assert_eq!(stage.engine.lease(), None);
        stage.done(WORKER, 1, vec![text("r")]);
        assert_eq!(stage.reply(), "*1|$1|r|");
    }

    #[test]
    fn one_that_is_over_before_anyone_looks_answers_all_the_same() {
        let mut stage = sync_trigger();
        stage.command("RG.TRIGGER t");
        suspend(&mut stage, 1);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.reply(), "*0|");
        assert_eq!(stage.inside(1), Some("…".into()));
        assert!(!stage.engine.is_inside_a_command());
    }

    #[test]
    fn an_ended_registration_runs_no_more() {
        let mut stage = sync_events();
        stage.event_inside("set", "k");
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.begin(1);
        assert!(stage.inside(1).unwrap().contains("aborted before it started"));
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_stream_s_entries_are_processed_inside_the_command_that_adds_them() {
        let kwargs = [("mode", text("sync")), ("batch", Argument::Int(1)), ("prefix", text("s"))];
        let mut stage = Stage::new();
        stage.host.answers.insert(
            "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS s 0".into(),
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n".into(),
        );
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("StreamReader", &[StepKind::ForEach]), &kwargs);
        stage.script_done(WORKER);
        stage.sent();
        assert_eq!(stage.event_inside("xadd", "s"), [1]);
        stage.begin(1);
        assert_eq!(stage.sent(), ["inside w0 e1 f0 [s@1-1:1]"]);
        stage.done(WORKER, 1, vec![]);
        stage.inside(1);
        assert_eq!(stage.statistics().0, 1);
    }

    #[test]
    fn a_call_that_waits_is_given_up_when_nobody_wants_its_reply() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        for token in [5, 6] {
            execute(&mut stage, Some(1), token, "BLPOP k 0");
            let call = stage.act(|engine, doors| engine.next_call(doors)).unwrap();
            assert!(call.may_wait);
            stage.engine.call_waits(&call);
        }
        stage.act(|engine, doors| engine.answer_call(doors, (WORKER, Token(5)), b"*0\r\n"));
        stage.command(&format!("RG.ABORTEXECUTION {}", id(1)));
        assert_eq!(stage.host.cancelled, [(WORKER, Token(6))]);
    }

    #[test]
    fn a_call_may_not_wait_where_others_would_wait_with_it() {
        let mut stage = sync_trigger();
        execute(&mut stage, None, 5, "BLPOP k 0");
        let of_script = stage.act(|engine, doors| engine.next_call(doors)).unwrap();
        stage.command("RG.TRIGGER t");
        execute(&mut stage, Some(1), 6, "BLPOP k 0");
        let inside = stage.act(|engine, doors| engine.next_call(doors)).unwrap();
        assert!(!of_script.may_wait && !inside.may_wait);
    }
}
