//! Functions inside commands, and commands inside functions.

use functions::worker::ExecutionId;
use functions::{Engine, Inside};

use super::Gears;
use crate::entry::BROKEN;
use crate::host;

impl Gears {
    /// Runs a function inside the command that triggered it: nobody is served but whoever has the data, until it is over.
    pub(super) fn run_inside(&self, id: ExecutionId) -> Inside {
        self.with_engine(|engine, doors| engine.begin_inside(doors, id));
        loop {
            match self.with_engine(|engine, _| engine.look_inside(id)) {
                Some(Inside::Runs) => self.serve_borrower(),
                Some(over) => return over,
                None => return Inside::Over(format!("-{BROKEN}\r\n").into_bytes()),
            }
        }
    }

    /// Runs what keyspace events have triggered, one after the other.
    pub(crate) fn run_triggered(&self) {
        while let Some(id) = self.take_triggered() {
            // What came of it stands in the registration's statistics.
            let _ended = self.run_inside(id);
        }
    }

    /// None while the engine runs: it comes back to them.
    fn take_triggered(&self) -> Option<ExecutionId> {
        self.ask(|_, _| self.triggered.borrow_mut().pop_front()).flatten()
    }

    /// Runs the calls of functions whose turn it is. One that would block answers as inside MULTI.
    pub(super) fn run_calls(&self) {
        while let Some(Some(call)) = self.with_engine(Engine::next_call) {
            let args: Vec<&[u8]> = call.args.iter().map(Vec::as_slice).collect();
            let mut wire = Vec::new();
            match host::about_connection(&args) {
                Some(name) => {
                    let refusal = format!("-ERR '{name}' is not allowed from a function\r\n");
                    wire.extend_from_slice(refusal.as_bytes());
                }
                None => self.server.call(&args, &mut wire),
            }
            // As on servers that tell when a command is over: what it has triggered runs before its caller goes on.
            self.run_triggered();
            self.with_engine(|engine, doors| engine.answer_call(doors, call.name(), &wire));
        }
    }
}
