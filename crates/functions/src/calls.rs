//! Commands that functions call: `execute()`, and `call_next()` in a hook.
//!
//! The host runs them, with the engine out of the way: so a call may itself trigger a function inside it.

use crate::engine::{Doors, Engine};
use crate::identifier::RegistrationNumber;
use crate::plan::Argument;
use crate::worker::{ExecutionId, Token, WorkerId};

/// A call that waits for its turn, or for its reply.
#[derive(Debug)]
pub struct FunctionCall {
    pub args: Vec<Vec<u8>>,
    /// `call_next()`: hooks of the same command apply when they are older than this one.
    pub below: Option<RegistrationNumber>,
    /// Nobody but the calling thread waits: a command that blocks may block it.
    pub may_wait: bool,
    worker: WorkerId,
    token: Token,
    execution: Option<ExecutionId>,
}

impl FunctionCall {
    /// By which the host names a call that it lets wait.
    pub fn name(&self) -> (WorkerId, Token) {
        (self.worker, self.token)
    }

    pub(crate) fn is_of(&self, worker: WorkerId) -> bool {
        self.worker == worker
    }
}

impl Engine {
    pub(crate) fn requested_command(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        token: Token,
        execution: Option<ExecutionId>,
        args: Vec<Vec<u8>>,
    ) {
        if args.is_empty() {
            doors.workers.answer(worker, token, Ok(Argument::List(Vec::new())));
            return;
        }
        // A script body never did: whatever it calls answers at once.
        let may_wait = execution.is_some();
        self.calls.push_back(FunctionCall {
            args,
            below: None,
            may_wait,
            worker,
            token,
            execution,
        });
    }

    /// `call_next()`: the next older hook, or the command itself.
    pub(crate) fn requested_next(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        token: Token,
        execution: Option<ExecutionId>,
        mut args: Vec<Vec<u8>>,
    ) {
        let Some((number, command)) = execution.and_then(|id| self.hooked_command(id)) else {
            let refusal = "Can not get CommandHook ctx";
            doors.workers.answer(worker, token, Err(refusal.into()));
            return;
        };
        args.insert(0, command);
        let below = Some(number);
        self.calls.push_back(FunctionCall {
            args,
            below,
            may_wait: false,
            worker,
            token,
            execution,
        });
    }

    /// The next call that may touch the data now, for the host to run.
    pub fn next_call(&mut self, doors: &mut Doors) -> Option<FunctionCall> {
        if self.leases.is_anybody_waiting() {
            self.grant_leases(doors);
        }
        let next = self.next_admitted()?;
        let mut call = self.calls.remove(next)?;
        call.may_wait &= self.leases.depth() == 0;
        self.call_begins(&call, call.execution);
        Some(call)
    }

    /// Whether `next_call` has one.
    pub fn has_calls(&self) -> bool {
        let may_grant = self.leases.is_anybody_waiting()
            && self.leases.depth() == 0
            && !self.is_inside_a_command();
        may_grant || self.next_admitted().is_some()
    }

    fn next_admitted(&self) -> Option<usize> {
        let inside = self.is_inside_a_command();
        let admitted = |call: &FunctionCall| self.leases.admit(call.worker, call.execution, inside);
        self.calls.iter().position(admitted)
    }

    /// Hands the reply of a call, as RESP2, to the function that made it.
    pub fn answer_call(
        &mut self,
        doors: &mut Doors,
        (worker, token): (WorkerId, Token),
        wire: &[u8],
    ) {
        self.waiting_calls.remove(&(worker, token));
        self.call_is_over((worker, token));
        doors.workers.answer_wire(worker, token, wire);
    }

    /// The host lets a call wait for its reply: it is told when nobody wants the reply any more.
    pub fn call_waits(&mut self, call: &FunctionCall) {
        self.waiting_calls.insert(call.name(), call.execution);
        self.call_is_over(call.name());
    }

    pub(crate) fn cancel_calls_of(&mut self, doors: &mut Doors, id: ExecutionId) {
        self.cancel_calls(doors, |_, execution| execution == Some(id));
    }

    pub(crate) fn cancel_calls_of_worker(&mut self, doors: &mut Doors, worker: WorkerId) {
        self.cancel_calls(doors, |other, _| other == worker);
    }

    fn cancel_calls(
        &mut self,
        doors: &mut Doors,
        is_over: impl Fn(WorkerId, Option<ExecutionId>) -> bool,
    ) {
        self.waiting_calls.retain(|(worker, token), execution| {
            let is_over = is_over(*worker, *execution);
            if is_over {
                doors.host.cancel_call(*worker, *token);
            }
            !is_over
        });
    }
}
