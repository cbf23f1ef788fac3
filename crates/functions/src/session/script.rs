//! A script body: what it asks for is put aside while it runs, and takes effect at its end, or not at all.

use resp::ReplyWriter;

use super::SessionNumber;
use crate::commands::NO_EXECUTION;
use crate::engine::{Doors, Engine, reply_to};
use crate::execution::{Origin, Stop};
use crate::host::ClientId;
use crate::identifier::RegistrationNumber;
use crate::registrations::dispatch::Pending;
use crate::registrations::{Registration, Trigger};
use crate::worker::ExecutionId;

/// A script body that runs, and what it asked for so far. All of it takes effect at its end, or none.
pub(crate) struct Script {
    pub(crate) client: Option<ClientId>,
    pub(crate) unblocking: bool,
    /// The session that this one takes the place of.
    pub(crate) replaces: Option<SessionNumber>,
    pub(crate) run: Option<ExecutionId>,
    pub(crate) registrations: Vec<(RegistrationNumber, Registration)>,
    pub(crate) started_us: u64,
    /// It was asked to stop.
    pub(crate) stop: Option<Stop>,
}

impl Engine {
    /// The script body ended: what it asked for takes effect, and its client gets an answer.
    pub(crate) fn script_done(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        error: Option<String>,
    ) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        let Some(mut script) = session.script.take() else { return };
        let mut wire = Vec::new();
        let mut reply = reply_to(&mut wire);

        let conflicts = self.conflicts(&script);
        if let Some(error) = error {
            reply.error(with_cause(error, script.stop).as_bytes());
            self.discard(doors, &script);
        } else if !conflicts.is_empty() {
            reply.array(conflicts.len());
            conflicts.iter().for_each(|conflict| reply.error(conflict.as_bytes()));
            self.discard(doors, &script);
        } else {
            self.apply(doors, number, &mut script, &mut reply);
        }
        if let Some(client) = script.client.filter(|_| !wire.is_empty()) {
            doors.host.reply(client, &wire);
        }
        if let Some(run) = script.run
            && self.executions.contains_key(&run)
        {
            self.start_batch(doors, run);
        }
        self.end_session_if_idle(doors, number);
    }

    /// Another script may have taken a trigger's name while this one ran.
    fn conflicts(&self, script: &Script) -> Vec<String> {
        let taken = |registration: &Registration| match &registration.trigger {
            Trigger::Command(trigger) if trigger.is_called() => {
                self.is_trigger_taken(&trigger.name, script.replaces)
            }
            Trigger::Command(_) | Trigger::Keys(_) | Trigger::Stream(_) | Trigger::Cron(_) => false,
        };
        let conflicts = script.registrations.iter().filter(|(_, registration)| taken(registration));
        let text = format!("-ERR shard-{}: trigger already registered", self.identifiers.node());
        conflicts.map(|_| text.clone()).collect()
    }

    pub(crate) fn is_trigger_taken(&self, name: &[u8], replaced: Option<SessionNumber>) -> bool {
        let owner = self.registrations.triggered_by(name);
        owner.is_some_and(|owner| Some(self.registrations.by_number[&owner].session) != replaced)
    }

    fn apply(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        script: &mut Script,
        reply: &mut ReplyWriter,
    ) {
        if let Some(replaced) = script.replaces {
            self.retire_session(doors, replaced);
            let name = self.sessions.by_number[&number].name.clone();
            // Another upgrade may have been quicker: the last one stays.
            if let Some(other) = self.sessions.by_name.get(&name) {
                self.retire_session(doors, *other);
            }
            self.sessions.by_name.insert(name, number);
        }
        let registers = !script.registrations.is_empty();
        for (registration_number, registration) in script.registrations.drain(..) {
            self.add_registration(doors, registration_number, registration);
        }
        if registers {
            self.identifiers.count_management();
        }

        match script.run {
            Some(run) if !self.executions.contains_key(&run) => {
                // Somebody stopped it before it began.
                reply.array(2);
                reply.array(0);
                reply.array(1);
                reply.text(&Stop::Asked.to_string());
            }
            Some(run) if registers || script.unblocking => {
                self.execution(run).origin = Origin::Unblocking;
                if registers {
                    reply.ok();
                } else {
                    reply.text(&self.identifiers.text(run.0));
                }
            }
            // The answer comes when the execution is over.
            Some(run) => self.execution(run).client = script.client,
            None => reply.ok(),
        }
    }

    pub(crate) fn add_registration(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        registration: Registration,
    ) {
        let is_stream = matches!(registration.trigger, Trigger::Stream(_));
        let is_cron = matches!(registration.trigger, Trigger::Cron(_));
        if let Some(session) = self.sessions.by_number.get_mut(&registration.session) {
            session.registrations.push(number);
        }
        self.registrations.insert(number, registration);
        self.tell_interest(doors);
        if is_stream {
            self.follow_streams(number);
        }
        if is_cron {
            self.schedule_cron(doors, number);
        }
    }

    /// Nothing of what the script asked for happens.
    pub(super) fn discard(&mut self, doors: &mut Doors, script: &Script) {
        if let Some(run) = script.run
            && let Some(execution) = self.executions.get_mut(&run)
        {
            let session = execution.session;
            // Somebody may have been quick enough to wait for it.
            for waiting in std::mem::take(&mut execution.waiting) {
                let mut wire = Vec::new();
                reply_to(&mut wire).error(NO_EXECUTION.as_bytes());
                doors.host.reply(waiting.client(), &wire);
            }
            self.forget_execution(run);
            if let Some(session) = self.sessions.by_number.get_mut(&session) {
                session.unfinished -= 1;
            }
        }
    }

    /// Another session takes the place of this one.
    fn retire_session(&mut self, doors: &mut Doors, number: SessionNumber) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        let (name, requirements) = (session.name.clone(), session.requirements.clone());
        for registration in session.registrations.clone() {
            self.unregister(doors, registration, Pending::Abort);
        }
        self.sessions.by_name.remove(&name);
        self.release_requirements(number, &requirements);
        if let Some(session) = self.sessions.by_number.get_mut(&number) {
            session.end_time_events(doors.host);
        }
        self.end_session_if_idle(doors, number);
    }
}

/// A traceback, which is a list of lines, with one more line: why the script was stopped.
fn with_cause(error: String, stop: Option<Stop>) -> String {
    match (stop, error.strip_suffix(']')) {
        (Some(stop), Some(lines)) => format!("{lines}, '{}\\n']", stop.of_a_script()),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan, text};
    use crate::worker::{FromWorker, WorkerId};

    fn count() -> crate::plan::Plan {
        plan("KeysReader", &[StepKind::Count, StepKind::ToText, StepKind::Collect])
    }

    #[test]
    fn a_script_that_asks_for_nothing_is_ok_and_leaves_nothing() {
        let mut stage = Stage::new();
        assert_eq!(stage.command("RG.PYEXECUTE code"), "…");
        assert_eq!(stage.sent(), ["start w0", "script w0 code"]);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        assert_eq!(stage.sent(), ["kill w0"]);
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_script_s_error_is_the_reply_and_undoes_what_it_asked_for() {
        let mut stage = Stage::with_keys(3);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.register(WORKER, 1, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.from(WORKER, FromWorker::ScriptDone { error: Some("['boom\\n']".into()) });
        assert_eq!(stage.reply(), "-['boom\\n']|");
        assert_eq!(stage.command("RG.DUMPEXECUTIONS"), "*0|");
        assert_eq!(stage.command("RG.DUMPREGISTRATIONS"), "*0|");
        assert_eq!(stage.command("RG.TRIGGER t"), "-ERR subcommand not found|");
        assert_eq!(stage.sent().last().unwrap(), "kill w0");
    }

    #[test]
    fn whoever_waits_for_a_run_that_its_script_gives_up_is_told() {
        let mut stage = Stage::with_keys(3);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        assert_eq!(stage.command(&format!("RG.GETRESULTSBLOCKING {}", id(0))), "…");
        stage.from(WORKER, FromWorker::ScriptDone { error: Some("no".into()) });
        assert_eq!(stage.replies(), ["-execution plan does not exist|", "-no|"]);
    }

    #[test]
    fn registrations_win_over_a_run_in_the_reply_and_the_run_is_kept() {
        let mut stage = Stage::with_keys(3);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.register(WORKER, 1, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        stage.work();
        assert_eq!(stage.command(&format!("RG.GETRESULTS {}", id(0))), "*2|*1|$1|3|*0|");
    }

    #[test]
    fn a_second_run_in_one_script_is_refused() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, count());
        stage.run(WORKER, 1, count());
        let sent = stage.sent();
        assert_eq!(sent[2], format!("answer w0 t0 {}", id(0)));
        assert_eq!(
            sent[3],
            "answer w0 t1 raise Can not run more then 1 executions in a single script"
        );
    }

    #[test]
    fn a_registration_becomes_visible_when_its_script_has_ended() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        assert_eq!(stage.sent().last().unwrap(), &format!("answer w0 t0 {}", id(1)));
        assert_eq!(stage.command("RG.TRIGGER t"), "-ERR subcommand not found|");
        stage.script_done(WORKER);
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
    }

    #[test]
    fn a_trigger_s_name_is_taken_once() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.PYEXECUTE code");
        let worker = WorkerId(1);
        stage.register(worker, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.register(worker, 1, plan("CommandReader", &[]), &[("trigger", text("u"))]);
        stage.register(worker, 2, plan("CommandReader", &[]), &[("trigger", text("u"))]);
        let sent = stage.sent();
        assert_eq!(sent[2], "answer w1 t0 raise trigger already registered");
        assert_eq!(sent[4], "answer w1 t2 raise trigger already registered in this session");
    }

    #[test]
    fn of_two_scripts_that_race_for_a_name_the_second_is_told_which_shard_refused() {
        let mut stage = Stage::new();
        for number in 0..2 {
            stage.command("RG.PYEXECUTE code");
            let kwargs = [("trigger", text("t"))];
            stage.register(WorkerId(number), 0, plan("CommandReader", &[]), &kwargs);
        }
        stage.script_done(WorkerId(0));
        stage.script_done(WorkerId(1));
        let refusal = format!("*1|--ERR shard-{}: trigger already registered|", "0".repeat(40));
        assert_eq!(stage.replies(), ["+OK|", &refusal]);
    }

    #[test]
    fn an_upgrade_replaces_the_session_and_may_take_its_triggers() {
        let mut stage = Stage::new();
        for (worker, options) in [(0, " ID a"), (1, " ID a UPGRADE")] {
            assert_eq!(stage.command(&format!("RG.PYEXECUTE code{options}")), "…");
            let kwargs = [("trigger", text("t"))];
            stage.register(WorkerId(worker), 0, plan("CommandReader", &[]), &kwargs);
            stage.script_done(WorkerId(worker));
            assert_eq!(stage.reply(), "+OK|");
        }
        assert_eq!(stage.engine.registrations.listed().count(), 1);
        assert!(stage.sent().contains(&"kill w0".into()));
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
        assert_eq!(stage.sent(), ["invoke w1 e2 f0 [t]"]);
    }

    #[test]
    fn of_two_upgrades_at_once_the_last_one_stays() {
        let mut stage = Stage::new();
        for (worker, options) in [(0, " ID a"), (1, " ID a UPGRADE"), (2, " ID a UPGRADE")] {
            stage.command(&format!("RG.PYEXECUTE code{options}"));
            if worker == 0 {
                stage.register(WORKER, 0, plan("KeysReader", &[]), &[]);
                stage.script_done(WORKER);
            }
        }
        for worker in [WorkerId(1), WorkerId(2)] {
            stage.register(worker, 0, plan("KeysReader", &[]), &[]);
            stage.script_done(worker);
        }
        assert_eq!(stage.replies(), ["+OK|"; 3]);
        assert_eq!(stage.engine.registrations.listed().count(), 1);
        assert_eq!(stage.engine.sessions.by_worker.keys().collect::<Vec<_>>(), [&WorkerId(2)]);
    }

    #[test]
    fn a_failed_upgrade_leaves_the_old_session_alone() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        stage.command("RG.PYEXECUTE code ID a UPGRADE");
        stage.from(WorkerId(1), FromWorker::ScriptDone { error: Some("['no\\n']".into()) });
        assert_eq!(stage.command("RG.PYEXECUTE code ID a"), "-Session a already exists|");
        assert_eq!(stage.command("RG.TRIGGER t"), "…");
    }

    #[test]
    fn a_client_that_is_gone_gets_no_reply_and_its_script_goes_on() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        stage.register(WORKER, 0, plan("CommandReader", &[]), &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        assert_eq!(stage.replies(), [""; 0]);
        assert_eq!(stage.engine.registrations.listed().count(), 1);
    }
}
