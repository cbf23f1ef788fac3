//! What functions ask of the engine while they run.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Answer, Doors, Engine};
use crate::execution::{Batch, Execution, Input, Origin};
use crate::host::ClientId;
use crate::operators::Leading;
use crate::plan::{Argument, Plan};
use crate::readers::Walk;
use crate::registrations::{Accepted, Registration, Statistics, Trigger, accept, accept_run};
use crate::session::{Session, SessionNumber};
use crate::worker::{FunctionId, Token, WorkerId};

/// Stands for the function that calls a command; it never waits, so no reply is ever sent to it.
const FUNCTION: ClientId = ClientId(u64::MAX);

/// Keys to ask for at first, before the size of values is known.
const SCAN_COUNT_FIRST: usize = 128;

impl Engine {
    /// `run()`. In a script body it starts when the script has ended, in a step at once.
    pub(crate) fn requested_run(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        function: FunctionId,
        plan: Plan,
        kwargs: &[(String, Argument)],
    ) -> Result<Argument, String> {
        let walk = accept_run(&plan, kwargs)?;
        let in_script = match &self.session(number).script {
            Some(script) if script.run.is_some() => {
                return Err("Can not run more then 1 executions in a single script".into());
            }
            script => script.is_some(),
        };
        let leading = match walk {
            Walk::Callback => Leading::none(&plan.steps),
            _ => Leading::of(&plan.steps),
        };
        let batch = Batch {
            walk,
            leading,
            in_flight: 0,
            opened: false,
            queued: false,
            scan_count: SCAN_COUNT_FIRST,
        };
        let origin = if in_script { Origin::Script } else { Origin::Step };
        let input = Input::Batch(Box::new(batch));
        let execution = Execution::new(number, function, Arc::new(plan), origin, input);
        self.identifiers.count_builder();
        let id = self.identifiers.next_execution();
        self.add_execution(id, execution, true);

        match &mut self.session(number).script {
            Some(script) => script.run = Some(id),
            None => self.start_batch(doors, id),
        }
        Ok(Argument::Text(self.identifiers.text(id.0)))
    }

    /// `register()`. In a script body it takes effect when the script has ended, in a step at once.
    pub(crate) fn requested_registration(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        function: FunctionId,
        plan: Plan,
        kwargs: &[(String, Argument)],
        pickle: Vec<u8>,
    ) -> Result<Argument, String> {
        let Accepted { mode, trigger } = accept(&plan, kwargs)?;
        if let Trigger::Command(command) = &trigger {
            let script = self.sessions.by_number[&number].script.as_deref();
            let in_script = script.into_iter().flat_map(|script| &script.registrations);
            for (_, other) in in_script {
                if matches!(&other.trigger, Trigger::Command(taken) if taken.name == command.name) {
                    return Err("trigger already registered in this session".into());
                }
            }
            if self.is_trigger_taken(&command.name, script.and_then(|script| script.replaces)) {
                return Err("trigger already registered".into());
            }
        }
        let registration = Registration {
            session: number,
            function,
            plan: Arc::new(plan),
            pickle,
            mode,
            trigger,
            statistics: Statistics::default(),
            pending: VecDeque::new(),
            ready: false,
            in_flight: 0,
            kept: VecDeque::new(),
            retired: false,
        };
        let registration_number = self.identifiers.next_registration();
        match &mut self.session(number).script {
            Some(script) => script.registrations.push((registration_number, registration)),
            None => self.add_registration(doors, registration_number, registration),
        }
        Ok(Argument::Text(self.identifiers.text(registration_number.0)))
    }

    /// `execute()`. The engine's own commands are answered here: the host cannot call an engine that is calling it.
    pub(crate) fn requested_command(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        token: Token,
        args: &[Vec<u8>],
    ) {
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let Some(name) = args.first() else {
            doors.workers.answer(worker, token, Ok(Argument::List(Vec::new())));
            return;
        };
        let mut wire = std::mem::take(&mut self.wire);
        wire.clear();
        if name.get(..3).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"rg.")) {
            let answer = self.command(doors, FUNCTION, &args, false, &mut wire);
            assert_eq!(answer, Answer::Ready, "a command that cannot block does not");
        } else {
            doors.host.call(&args, &mut wire);
        }
        doors.workers.answer_wire(worker, token, &wire);
        self.wire = wire;
    }

    /// `configGet()`.
    pub(crate) fn requested_option(&self, key: &str) -> Argument {
        match self.config.extra(key) {
            Some(value) => Argument::Text(value.into()),
            None => Argument::None,
        }
    }

    fn session(&mut self, number: SessionNumber) -> &mut Session {
        self.sessions.by_number.get_mut(&number).expect("its worker just spoke")
    }
}
