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

    fn remove(&mut self, id: ExecutionId) -> Option<Surroundings> {
        let removed = self.by_execution.remove(&id);
        self.awaited -= usize::from(removed.as_ref().is_some_and(|inside| inside.awaited));
        removed
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
        self.insides.by_execution.insert(id, inside);
        self.insides.awaited += usize::from(awaited);
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
            self.execution(id).errors.push(stop.to_string());
            self.finish(doors, id, Status::Done);
        } else {
            self.stop(doors, id, stop);
        }
    }
}
