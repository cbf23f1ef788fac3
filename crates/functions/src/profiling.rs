//! While ProfileExecutions is not 0, workers measure callbacks: by step for RG.GETEXECUTION, by Python function for
//! RG.PYPROFILE. What they have measured is asked for when somebody wants to see it.

use std::collections::BTreeMap;

use crate::config::Key;
use crate::engine::{Doors, Engine, reply_to};
use crate::host::ClientId;
use crate::session::SessionNumber;
use crate::worker::{ExecutionId, Profiling, WorkerId};

#[derive(Default)]
pub(crate) struct Profiles {
    /// What the workers have been told.
    is_on: bool,
    asked: u64,
    /// Who waits for which worker's report.
    waiting: BTreeMap<u64, (ClientId, WorkerId)>,
}

impl Profiles {
    pub(crate) fn client_gone(&mut self, client: ClientId) {
        self.waiting.retain(|_, (waiting, _)| *waiting != client);
    }
}

impl Engine {
    fn profiles_executions(&self) -> bool {
        self.config.number(Key::ProfileExecutions) != 0
    }

    /// Options may have changed.
    pub(crate) fn tell_profiling(&mut self, doors: &mut Doors) {
        let is_on = self.profiles_executions();
        if is_on == self.profiles.is_on {
            return;
        }
        self.profiles.is_on = is_on;
        for worker in self.sessions.by_worker.keys() {
            doors.workers.profile(*worker, if is_on { Profiling::On } else { Profiling::Off });
        }
    }

    /// A worker that has just been started measures nothing yet.
    pub(crate) fn tell_profiling_of(&mut self, doors: &mut Doors, worker: WorkerId) {
        if self.profiles_executions() {
            self.profiles.is_on = true;
            doors.workers.profile(worker, Profiling::On);
        }
    }

    /// The report comes later. `false`: there is no process to ask.
    pub(crate) fn ask_for_profile(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        client: ClientId,
        order: Option<&str>,
    ) -> bool {
        let session = self.sessions.by_number.get(&number);
        let Some(worker) = session.and_then(|session| session.worker()) else { return false };
        let request = self.profiles.asked;
        self.profiles.asked += 1;
        self.profiles.waiting.insert(request, (client, worker));
        doors.workers.profile(worker, Profiling::Report { request, order });
        true
    }

    pub(crate) fn profile_reported(
        &mut self,
        doors: &mut Doors,
        from: WorkerId,
        request: u64,
        report: Result<String, String>,
    ) {
        // What a worker says in place of another is not heard.
        let Some((client, worker)) = self.profiles.waiting.get(&request).copied() else { return };
        if worker != from {
            return;
        }
        self.profiles.waiting.remove(&request);
        let mut wire = Vec::new();
        match report {
            Ok(text) => reply_to(&mut wire).text(&text),
            Err(error) => reply_to(&mut wire).error(error.as_bytes()),
        }
        doors.host.reply(client, &wire);
    }

    /// A worker is gone: it reports nothing any more.
    pub(crate) fn profiles_lost(&mut self, doors: &mut Doors, worker: WorkerId) {
        let asked = self.profiles.waiting.extract_if(.., |_, (_, of)| *of == worker);
        for (_, (client, _)) in asked {
            let mut wire = Vec::new();
            reply_to(&mut wire).error(b"ERR the session's worker ended, and its profile with it");
            doors.host.reply(client, &wire);
        }
    }

    /// What the callbacks of each step have taken: of the last steps, where the first ones ran in the engine.
    pub(crate) fn steps_measured(
        &mut self,
        session: SessionNumber,
        id: ExecutionId,
        step_us: Vec<u64>,
    ) {
        let known = self.executions.get_mut(&id);
        if let Some(execution) = known.filter(|execution| execution.session == session)
            && step_us.len() <= execution.plan.steps.len()
        {
            execution.step_us = step_us.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{CLIENT, Stage, WORKER, id, plan};
    use crate::worker::{ExecutionId, FromWorker, WorkerId};

    fn reported(stage: &mut Stage, worker: WorkerId, report: Result<&str, &str>) {
        let report = report.map(String::from).map_err(String::from);
        stage.from(worker, FromWorker::ProfileReport { request: 0, report });
    }

    fn session_of(stage: &Stage) -> String {
        stage.engine.sessions.by_name.keys().next().unwrap().clone()
    }

    #[test]
    fn workers_are_told_when_to_measure_and_new_ones_from_the_start() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.CONFIGSET ProfileExecutions 1");
        assert_eq!(stage.sent(), ["profile w0 On"]);
        stage.command("RG.CONFIGSET ProfileExecutions 1 MaxExecutions 7");
        assert_eq!(stage.sent(), [""; 0]);
        stage.command("RG.PYEXECUTE code");
        assert_eq!(stage.sent(), ["start w1", "profile w1 On", "script w1 code"]);
        stage.crash(WORKER);
        assert_eq!(stage.sent()[..2], ["start w2", "profile w2 On"]);
        stage.command("RG.CONFIGSET ProfileExecutions 0");
        let mut sent = stage.sent();
        sent.sort();
        assert_eq!(sent, ["profile w1 Off", "profile w2 Off"]);
    }

    #[test]
    fn a_report_is_asked_for_and_answered_by_the_session_s_worker_only() {
        let mut stage = Stage::with_trigger();
        let name = session_of(&stage);
        assert_eq!(stage.command(&format!("RG.PYPROFILE stats {name} tottime")), "…");
        assert_eq!(stage.sent(), ["profile w0 Report { request: 0, order: Some(\"tottime\") }"]);
        stage.command("RG.PYEXECUTE other");
        reported(&mut stage, WorkerId(1), Ok("forged"));
        assert_eq!(stage.replies(), [""; 0]);
        reported(&mut stage, WORKER, Ok("figures"));
        assert_eq!(stage.reply(), "$7|figures|");
        reported(&mut stage, WORKER, Ok("again"));
        assert_eq!(stage.replies(), [""; 0]);
    }

    #[test]
    fn an_empty_profile_is_an_error() {
        let mut stage = Stage::with_trigger();
        let name = session_of(&stage);
        stage.command(&format!("RG.PYPROFILE STATS {name}"));
        reported(&mut stage, WORKER, Err("nothing was profiled"));
        assert_eq!(stage.reply(), "-nothing was profiled|");
    }

    #[test]
    fn whoever_waits_for_a_report_hears_that_the_worker_died() {
        let mut stage = Stage::with_trigger();
        let name = session_of(&stage);
        stage.command(&format!("RG.PYPROFILE STATS {name}"));
        stage.crash(WORKER);
        assert_eq!(stage.reply(), "-ERR the session's worker ended, and its profile with it|");
        stage.command(&format!("RG.PYPROFILE STATS {name}"));
        let registration = id(1);
        stage.command(&format!("RG.UNREGISTER {registration}"));
        assert_eq!(stage.reply(), "-ERR the session's worker ended, and its profile with it|");
    }

    #[test]
    fn a_client_that_left_gets_no_report() {
        let mut stage = Stage::with_trigger();
        let name = session_of(&stage);
        stage.command(&format!("RG.PYPROFILE STATS {name}"));
        stage.engine.client_gone(CLIENT);
        reported(&mut stage, WORKER, Ok("figures"));
        assert_eq!(stage.replies(), [""; 0]);
    }

    #[test]
    fn steps_in_the_engine_come_before_those_that_were_measured() {
        let kinds = [StepKind::Count, StepKind::Map, StepKind::Collect];
        let mut stage = Stage::running(plan("KeysReader", &kinds), " UNBLOCKING");
        let step_us = vec![4999, 0];
        stage.from(WORKER, FromWorker::StepDurations { execution: ExecutionId(0), step_us });
        let described = stage.command(&format!("RG.GETEXECUTION {}", id(0)));
        let steps = described.split("$8|duration|:").skip(1).map(|step| &step[..1]);
        assert_eq!(steps.collect::<String>(), "040");
    }
}
