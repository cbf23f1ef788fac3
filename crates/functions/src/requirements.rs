//! Packages that scripts asked for: which are installed, and who waits for some.

use std::collections::{BTreeMap, HashMap};

use crate::commands::{Install, write_requirement};
use crate::config::Limits;
use crate::engine::{Doors, Engine, reply_to};
use crate::host::ClientId;
use crate::session::{NewSession, SessionNumber, as_traceback, needs_of};
use crate::worker::{Installed, Prepared, Preparing, WorkerId};

#[derive(Default)]
pub(crate) struct Requirements {
    /// What scripts of this server asked for and got. It stays when they end: others may import it.
    pub(crate) installed: BTreeMap<String, Installed>,
    waiting: HashMap<WorkerId, Waiting>,
}

enum Waiting {
    Script(NewSession),
    /// A client that wants this requirement handed out.
    Export(Option<ClientId>, String),
    /// A client that brought one.
    Import(Option<ClientId>),
}

/// What clients get of a requirement in one string.
const CHUNK_BYTES: usize = 10 << 20;

impl Requirements {
    /// Those of its scripts that are not to run without it are dropped; what is being installed for them stays.
    pub(crate) fn client_gone(&mut self, client: ClientId, ends: impl Fn(&Limits) -> bool) {
        let is_dropped = |waiting: &Waiting| {
            matches!(waiting, Waiting::Script(script)
                if script.client == Some(client) && ends(&script.limits))
        };
        self.waiting.retain(|_, waiting| !is_dropped(waiting));
        for waiting in self.waiting.values_mut() {
            let owner = match waiting {
                Waiting::Script(script) => &mut script.client,
                Waiting::Export(owner, _) | Waiting::Import(owner) => owner,
            };
            owner.take_if(|owner| *owner == client);
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
            Preparing::Waiting(worker) => {
                self.requirements.waiting.insert(worker, Waiting::Script(new));
            }
        }
        Ok(())
    }

    /// Begins to hand a requirement out; false if there is none of this name.
    pub(crate) fn export(&mut self, doors: &mut Doors, client: ClientId, name: &str) -> bool {
        let Some(installed) = self.requirements.installed.get(name) else { return false };
        let worker = doors.workers.export(installed);
        self.requirements.waiting.insert(worker, Waiting::Export(Some(client), name.into()));
        true
    }

    /// Begins to install what another server has exported.
    pub(crate) fn import(&mut self, doors: &mut Doors, client: ClientId, parts: &[&[u8]]) {
        let worker = doors.workers.import(parts);
        self.requirements.waiting.insert(worker, Waiting::Import(Some(client)));
    }

    pub(crate) fn prepared(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        outcome: Result<Prepared, Vec<String>>,
    ) {
        let new = match self.requirements.waiting.remove(&worker) {
            Some(Waiting::Script(new)) => new,
            Some(Waiting::Import(client)) => return self.imported(doors, client, outcome),
            Some(Waiting::Export(..)) | None => return,
        };
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

    fn imported(
        &mut self,
        doors: &mut Doors,
        client: Option<ClientId>,
        outcome: Result<Prepared, Vec<String>>,
    ) {
        let mut wire = Vec::new();
        match outcome {
            Ok(prepared) => {
                self.keep_installed(prepared);
                reply_to(&mut wire).text("OK");
            }
            Err(lines) => reply_to(&mut wire).error(failed("import", &lines).as_bytes()),
        }
        if let Some(client) = client {
            doors.host.reply(client, &wire);
        }
    }

    pub(crate) fn exported(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        outcome: Result<Vec<u8>, Vec<String>>,
    ) {
        let waiting = self.requirements.waiting.remove(&worker);
        let Some(Waiting::Export(Some(client), name)) = waiting else { return };
        let mut wire = Vec::new();
        let mut reply = reply_to(&mut wire);
        match (outcome, self.requirements.installed.get(&name)) {
            (Ok(bytes), Some(installed)) => {
                reply.array(2);
                write_requirement(self, installed, &mut reply);
                let chunks = bytes.chunks(CHUNK_BYTES);
                reply.array(chunks.len());
                chunks.for_each(|chunk| reply.bulk(chunk));
            }
            // It left the list meanwhile.
            (Ok(_), None) => reply.error(NO_REQUIREMENT.as_bytes()),
            (Err(lines), _) => reply.error(failed("export", &lines).as_bytes()),
        }
        doors.host.reply(client, &wire);
    }

    /// Another session took the place of this one. What nobody else asked for leaves the list; it can still be imported,
    /// for scripts need not say what they import.
    pub(crate) fn release_requirements(&mut self, retired: SessionNumber, requirements: &[String]) {
        for requirement in requirements {
            let mut others =
                self.sessions.by_number.iter().filter(|(number, _)| **number != retired);
            if !others.any(|(_, session)| session.requirements.contains(requirement)) {
                self.requirements.installed.remove(requirement);
            }
        }
    }

    fn keep_installed(&mut self, prepared: Prepared) {
        let named = prepared.installed.into_iter().map(|one| (one.requirement.clone(), one));
        self.requirements.installed.extend(named);
    }
}

pub(crate) const NO_REQUIREMENT: &str = "requirement does not exists";

fn failed(what: &str, why: &[String]) -> String {
    format!("could not {what} the requirement: {}", why.join("; "))
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
    fn a_requirement_is_listed_until_its_last_session_is_replaced() {
        let mut stage = waiting("ID a ");
        stage.from(INSTALLER, FromWorker::Prepared(Ok(numpy())));
        let kwargs = [("trigger", text("t"))];
        stage.register(WORKER, 0, plan("CommandReader", &[]), &kwargs);
        stage.script_done(WORKER);
        stage.workers.prepare_later = false;

        // One that needs it, too, keeps it.
        stage.command("RG.PYEXECUTE code ID b REQUIREMENTS numpy");
        let other = WorkerId(1);
        stage.register(other, 0, plan("CommandReader", &[]), &[("trigger", text("other"))]);
        stage.script_done(other);
        stage.command("RG.PYEXECUTE code ID a UPGRADE");
        stage.script_done(WorkerId(2));
        assert!(stage.command("RG.PYDUMPREQS").starts_with("*1|"));

        stage.command("RG.PYEXECUTE code ID c REPLACE_WITH b");
        stage.script_done(WorkerId(3));
        assert_eq!(stage.command("RG.PYDUMPREQS"), "*0|");
    }

    #[test]
    fn a_requirement_stays_listed_when_its_session_has_ended() {
        let mut stage = waiting("");
        stage.from(INSTALLER, FromWorker::Prepared(Ok(numpy())));
        stage.script_done(WORKER);
        assert!(stage.engine.sessions.by_number.is_empty());
        assert!(stage.command("RG.PYDUMPREQS").starts_with("*1|"));
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
