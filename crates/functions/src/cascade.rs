//! Executions that cause one another: a function writes a key, whose event starts a function, which writes a key.
//!
//! Inside commands that ends by itself (`inside.rs`). Otherwise it may go on for ever, and sometimes that is meant: so
//! function-cascade-max is 0 unless somebody sets it.

use crate::calls::FunctionCall;
use crate::config::Key;
use crate::engine::Engine;
use crate::identifier::RegistrationNumber;
use crate::registrations::Outcome;
use crate::worker::{ExecutionId, Token, WorkerId};

/// The calls of functions that the host runs right now; those that lie on each other run inside one another.
#[derive(Default)]
pub(crate) struct Cascade {
    callers: Vec<Caller>,
}

struct Caller {
    call: (WorkerId, Token),
    /// How many executions led to the one that calls, itself included.
    links: u32,
    registration: Option<RegistrationNumber>,
}

impl Cascade {
    /// How many executions lead to one that begins now.
    pub(crate) fn links(&self) -> u32 {
        self.callers.last().map_or(0, |caller| caller.links)
    }
}

impl Engine {
    /// What happens until [`Engine::call_is_over`] is this call's doing.
    pub(crate) fn call_begins(&mut self, call: &FunctionCall, execution: Option<ExecutionId>) {
        if self.config.number(Key::FunctionCascadeMax) == 0 {
            return;
        }
        let execution = execution.and_then(|id| self.executions.get(&id));
        self.cascade.callers.push(Caller {
            call: call.name(),
            links: execution.map_or(0, |execution| execution.links.saturating_add(1)),
            registration: execution.and_then(|execution| execution.origin.registration()),
        });
    }

    pub(crate) fn call_is_over(&mut self, call: (WorkerId, Token)) {
        let callers = &mut self.cascade.callers;
        if let Some(place) = callers.iter().rposition(|caller| caller.call == call) {
            callers.truncate(place);
        }
    }

    /// Whether an event is one link too many: then it is counted, and starts nothing.
    pub(crate) fn ends_cascade(
        &mut self,
        now_ms: i64,
        number: RegistrationNumber,
        event: &str,
        key: &[u8],
    ) -> bool {
        let max = self.config.number(Key::FunctionCascadeMax);
        let links = self.cascade.links();
        if max == 0 || i64::from(links) < max {
            return false;
        }
        let caller = self.cascade.callers.last().and_then(|caller| caller.registration);
        let caller = caller.map_or_else(
            || "a run".to_owned(),
            |caller| format!("registration {}", self.identifiers.text(caller.0)),
        );
        let why = format!(
            "'{event}' of key '{}' by {caller} was not handled: {links} executions have caused one another already \
             (function-cascade-max {max})",
            key.escape_ascii()
        );
        if let Some(registration) = self.registrations.by_number.get_mut(&number) {
            registration.statistics.triggered += 1;
            registration.statistics.ended(Outcome::Aborted(Some(&why)), None, now_ms);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{Stage, WORKER, id, plan, text};
    use crate::worker::{ExecutionId, FromWorker, Token};

    fn stage(max: &str) -> Stage {
        let kwargs = [("prefix", text("k"))];
        let mut stage = Stage::registered(plan("KeysReader", &[StepKind::ForEach]), &kwargs);
        stage.command(&format!("RG.CONFIGSET function-cascade-max {max}"));
        stage
    }

    /// The execution writes the key that starts the next one.
    fn write(stage: &mut Stage, execution: Option<u64>) {
        let execution = execution.map(ExecutionId);
        let args = vec![b"SET".to_vec(), b"k".to_vec()];
        stage.tell(WORKER, FromWorker::Execute { token: Token(9), execution, args });
        let call = stage.act(|engine, doors| engine.next_call(doors)).unwrap();
        stage.event("set", "k");
        stage.act(|engine, doors| engine.answer_call(doors, call.name(), b"+OK\r\n"));
        stage.work();
        if let Some(ExecutionId(execution)) = execution {
            stage.done(WORKER, execution, vec![]);
        }
    }

    #[test]
    fn a_chain_ends_at_the_limit_and_says_who_went_on() {
        let mut stage = stage("3");
        stage.event("set", "k");
        stage.work();
        for execution in 1..=3 {
            write(&mut stage, Some(execution));
        }
        let (triggered, succeeded, failed, aborted, error) = stage.statistics();
        assert_eq!((triggered, succeeded, failed, aborted), (4, 3, 0, 1));
        assert_eq!(
            error.unwrap(),
            format!(
                "'set' of key 'k' by registration {} was not handled: 3 executions have caused one another already \
                 (function-cascade-max 3)",
                id(1)
            )
        );
    }

    #[test]
    fn what_clients_and_scripts_do_begins_a_new_chain() {
        let mut stage = stage("1");
        stage.event("set", "k");
        write(&mut stage, None);
        stage.event("set", "k");
        assert_eq!(stage.statistics().3, 0);
        write(&mut stage, Some(1));
        assert_eq!(stage.statistics().3, 1);
    }

    #[test]
    fn without_a_limit_it_goes_on() {
        let mut stage = stage("0");
        stage.event("set", "k");
        stage.work();
        for execution in 1..=100 {
            write(&mut stage, Some(execution));
        }
        assert_eq!(stage.statistics().0, 101);
        assert_eq!(stage.statistics().3, 0);
    }
}
