//! What functions ask of the engine while they run.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Doors, Engine};
use crate::execution::{Batch, Execution, Input, Origin};
use crate::host::Level;
use crate::operators::Leading;
use crate::plan::{Argument, Plan};
use crate::readers::Walk;
use crate::registrations::{
    Accepted, CommandTrigger, Registration, Statistics, Trigger, accept, accept_run, causes,
    check_removals, doubts, hooks,
};
use crate::session::{Session, SessionNumber};
use crate::worker::FunctionId;

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
        self.check_against_others(doors, number, &trigger)?;
        let doubts = doubts(&trigger, kwargs, &doors.host.event_names());
        if self.config.registers_strictly()
            && let Some(doubt) = doubts.first()
        {
            return Err(doubt.clone());
        }
        let session = &self.sessions.by_number[&number].name;
        for doubt in &doubts {
            doors.host.log(Level::Warning, &format!("GEARS: [{session}] {doubt}"));
        }
        let registration = Registration {
            session: number,
            function,
            plan: Arc::new(plan),
            pickle,
            mode,
            trigger,
            statistics: Statistics::default(),
            doubts,
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

    /// What `register()` checks that its arguments alone do not tell.
    fn check_against_others(
        &self,
        doors: &mut Doors,
        number: SessionNumber,
        trigger: &Trigger,
    ) -> Result<(), String> {
        let script = self.sessions.by_number[&number].script.as_deref();
        let commands_of_script = || {
            let registrations = script.into_iter().flat_map(|script| &script.registrations);
            registrations.filter_map(|(_, other)| match &other.trigger {
                Trigger::Command(command) => Some((command, other.mode)),
                Trigger::Keys(_) | Trigger::Stream(_) => None,
            })
        };
        match trigger {
            Trigger::Command(command) if command.is_called() => {
                if commands_of_script()
                    .any(|(other, _)| other.is_called() && other.name == command.name)
                {
                    return Err("trigger already registered in this session".into());
                }
                if self.is_trigger_taken(&command.name, script.and_then(|script| script.replaces)) {
                    return Err("trigger already registered".into());
                }
            }
            Trigger::Command(command) => {
                let by_prefix = command.hook.as_ref().is_some_and(|hook| hook.prefix.is_some());
                hooks::check_command(doors.host, &command.name, by_prefix)?;
                let hidden = self.newest_hook(&command.name);
                hooks::check_next(hidden, "Can not override a none sync registration")?;
                let same =
                    |other: &CommandTrigger| !other.is_called() && other.name == command.name;
                let hidden = commands_of_script().rfind(|(other, _)| same(other));
                hooks::check_next(
                    hidden.map(|(_, mode)| mode),
                    "Can not override a none sync registration which already created on this \
                     session",
                )?;
            }
            Trigger::Keys(keys) => {
                check_removals(doors.host, keys)?;
                let prefix_is_empty = keys.pattern.text().is_empty();
                for command in keys.commands.iter().flatten() {
                    causes::check_command(doors.host, command.as_bytes(), prefix_is_empty)?;
                }
            }
            Trigger::Stream(_) => {}
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use crate::testing::{Stage, WORKER};
    use crate::worker::{FromWorker, Token};

    fn execute(stage: &mut Stage, line: &str) -> String {
        let args = line.split(' ').filter(|word| !word.is_empty());
        let args = args.map(|word| word.as_bytes().to_vec()).collect();
        stage.sent();
        stage.from(WORKER, FromWorker::Execute { token: Token(9), execution: None, args });
        let sent = stage.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].strip_prefix("answer w0 t9 ").unwrap().into()
    }

    #[test]
    fn a_function_calls_commands_of_the_data_through_the_host() {
        let mut stage = Stage::with_trigger();
        stage.host.answers.insert("GET k".into(), "$1\r\nv\r\n".into());
        assert_eq!(execute(&mut stage, "GET k"), "$1|v|");
        assert_eq!(execute(&mut stage, ""), "List([])");
    }

    #[test]
    fn a_function_calls_the_engine_s_commands_unless_they_would_wait() {
        let mut stage = Stage::with_trigger();
        assert_eq!(execute(&mut stage, "rg.infocluster"), "$15|no cluster mode|");
        for waits in ["RG.PYEXECUTE x", "RG.PYEXECUTE", "RG.TRIGGER t"] {
            let refused = execute(&mut stage, waits);
            assert!(refused.contains("blocking is not allowed"), "{refused}");
        }
        assert!(stage.host.calls.is_empty());
    }

    #[test]
    fn a_function_may_end_its_own_registration() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        let unregister = format!("RG.UNREGISTER {}", crate::testing::id(1));
        assert_eq!(execute(&mut stage, &unregister), "+OK|");
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.reply(), "*0|");
        assert_eq!(stage.sent(), ["forget w0 f0", "kill w0"]);
    }

    #[test]
    fn a_function_sees_the_extra_options_only() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.CONFIGSET foo bar");
        stage.sent();
        for key in ["foo", "MaxExecutions"] {
            stage.from(WORKER, FromWorker::ConfigGet { token: Token(1), key: key.into() });
        }
        assert_eq!(stage.sent(), ["answer w0 t1 bar", "answer w0 t1 None"]);
    }
}
