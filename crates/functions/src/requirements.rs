//! Packages that scripts asked for: which are installed, and the scripts that wait for theirs.

use std::collections::{BTreeMap, HashMap};

use crate::commands::Install;
use crate::config::Limits;
use crate::engine::{Doors, Engine, reply_to};
use crate::host::ClientId;
use crate::session::{NewSession, as_traceback, needs_of};
use crate::worker::{Installed, Prepared, Preparing, WorkerId};

#[derive(Default)]
pub(crate) struct Requirements {
    /// What scripts of this server asked for and got. It stays when they end: others may import it.
    pub(crate) installed: BTreeMap<String, Installed>,
    waiting: HashMap<WorkerId, NewSession>,
}

impl Requirements {
    /// Those of its scripts that are not to run without it are dropped; what is being installed for them stays.
    pub(crate) fn client_gone(&mut self, client: ClientId, ends: impl Fn(&Limits) -> bool) {
        self.waiting.retain(|_, script| script.client != Some(client) || !ends(&script.limits));
        for script in self.waiting.values_mut() {
            if script.client == Some(client) {
                script.client = None;
            }
        }
    }
}

impl Engine {
    /// Begins a session, now or when what its script needs is there.
    pub(crate) fn begin_when_prepared(
        &mut self,
        doors: &mut Doors,
        new: NewSession,
        install: Install,
    ) -> Result<(), String> {
        let replaces = self.replaced_by(&new)?;
        self.check_forbidden(doors.workers, &new.limits)?;
        let mut needs = needs_of(&new.code, &new.requirements);
        needs.again = install == Install::Again;
        match doors.workers.prepare(&needs) {
            Preparing::Ready(prepared) => {
                let interpreter = prepared.interpreter;
                self.keep_installed(prepared);
                self.begin_session(doors, new, replaces, interpreter);
            }
            Preparing::Waiting(worker) => drop(self.requirements.waiting.insert(worker, new)),
        }
        Ok(())
    }

    pub(crate) fn prepared(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        outcome: Result<Prepared, Vec<String>>,
    ) {
        let Some(new) = self.requirements.waiting.remove(&worker) else { return };
        let refusal = match outcome {
            Ok(prepared) => {
                let interpreter = prepared.interpreter;
                self.keep_installed(prepared);
                // The name may have been taken, or the session to replace have gone, meanwhile.
                match self.replaced_by(&new) {
                    Ok(replaces) => {
                        return self.begin_session(doors, new, replaces, interpreter);
                    }
                    Err(refusal) => refusal,
                }
            }
            Err(lines) => as_traceback(&lines.join("\n")),
        };
        if let Some(client) = new.client {
            let mut wire = Vec::new();
            reply_to(&mut wire).error(refusal.as_bytes());
            doors.host.reply(client, &wire);
        }
    }

    fn keep_installed(&mut self, prepared: Prepared) {
        let named = prepared.installed.into_iter().map(|one| (one.requirement.clone(), one));
        self.requirements.installed.extend(named);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{CLIENT, Stage, WORKER, plan, text};
    use crate::worker::{FromWorker, Installed, Prepared, WorkerId};

    const INSTALLER: WorkerId = WorkerId(1000);

    fn numpy() -> Prepared {
        let installed = Installed {
            requirement: "numpy".into(),
            path: "/d/3.11/000001".into(),
            wheels: vec!["numpy-2.whl".into()],
        };
        Prepared { interpreter: 1, installed: vec![installed] }
    }

    fn waiting(options: &str) -> Stage {
        let mut stage = Stage::new();
        stage.workers.prepare_later = true;
        let script = format!("RG.PYEXECUTE code {options}REQUIREMENTS numpy");
        assert_eq!(stage.command(&script), "…");
        assert_eq!(stage.sent(), [""; 0]);
        stage
    }

    #[test]
    fn a_script_waits_for_its_requirements_and_runs_on_the_interpreter_that_has_them() {
        let mut stage = waiting("");
        assert_eq!(stage.command("RG.PYDUMPREQS"), "*0|");
        stage.from(INSTALLER, FromWorker::Prepared(Ok(numpy())));
        assert_eq!(stage.sent(), ["start w0", "script w0 code"]);
        assert_eq!(stage.workers.specs[0].interpreter, 1);
        stage.script_done(WORKER);
        assert_eq!(stage.reply(), "+OK|");
        let dump = stage.command("RG.PYDUMPREQS");
        assert!(dump.starts_with("*1|*12|$14|GearReqVersion|:1|$4|Name|$5|numpy|"), "{dump}");
    }

    #[test]
    fn what_cannot_be_installed_is_told_in_lines_of_a_list() {
        let mut stage = waiting("");
        let lines = vec!["Could not satisfy requirements, …".into(), "ERROR: it's off".into()];
        stage.from(INSTALLER, FromWorker::Prepared(Err(lines)));
        assert_eq!(
            stage.reply(),
            r"-['Could not satisfy requirements, …\n', 'ERROR: it\'s off\n']|"
        );
        assert!(stage.engine.sessions.by_number.is_empty());
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_is_refused_and_a_client_that_is_gone_told_nothing() {
        let mut stage = waiting("ID a ");
        stage.workers.prepare_later = false;
        stage.command("RG.PYEXECUTE code ID a");
        stage.from(INSTALLER, FromWorker::Prepared(Ok(numpy())));
        assert_eq!(stage.reply(), "-Session a already exists|");

        let mut stage = waiting("");
        stage.act(|engine, doors| engine.client_gone(doors, CLIENT));
        stage.from(INSTALLER, FromWorker::Prepared(Err(vec!["no".into()])));
        assert_eq!(stage.replies(), [""; 0]);
    }

    #[test]
    fn a_session_goes_on_with_its_interpreter_after_a_crash_and_names_its_requirements() {
        let mut stage = waiting("");
        stage.from(INSTALLER, FromWorker::Prepared(Ok(numpy())));
        let kwargs = [("trigger", text("t"))];
        stage.register(WORKER, 0, plan("CommandReader", &[]), &kwargs);
        stage.script_done(WORKER);
        let sessions = stage.command("RG.PYDUMPSESSIONS");
        assert!(sessions.contains("$12|requirements|*1|$5|numpy|"), "{sessions}");
        let dump = stage.command("RG.DUMPREGISTRATIONS");
        let needs =
            "'depsList':[{'name':'numpy', 'basePath':'/d/3.11/000001', 'wheels':['numpy-2.whl']}]";
        assert!(dump.contains(needs), "{dump}");
        stage.crash(WORKER);
        assert_eq!(stage.workers.specs[1].interpreter, 1);
    }
}
