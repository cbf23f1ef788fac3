//! What happens before a script can run: the interpreter is found, and what the script needs is installed for it.
//!
//! Each interpreter has at most one job at a time; whoever waits is looked at again whenever a job has ended.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use functions::host::Level;
use functions::worker::{FromWorker, Needs, Prepared, Preparing, WorkerId};

use crate::installer::{self, Findings, Installer};
use crate::interpreter::Knowledge;
use crate::pool::{Change, Interest, OUTPUT, Pool};

/// Building a large package from its sources takes minutes; longer than this it hangs.
const INSTALL_MS_MAX: i64 = 30 * 60_000;

/// redgrease asks for itself with every function, and takes much longer to import than most functions to run: where a script
/// asked for it, the next one probably does.
const ASKED_FOR_AGAIN: &str = "redgrease";

/// A script that waits.
pub(crate) struct Preparation {
    worker: WorkerId,
    needs: Needs,
    /// Its requirements have been installed again.
    installed_again: bool,
    /// What it lacked when it was looked at last, and where.
    missing: Vec<String>,
    index: usize,
    failed: Option<Vec<String>>,
}

/// A process that works for an interpreter.
pub(crate) struct Job {
    pub(crate) number: u64,
    installer: Installer,
    task: Task,
    /// Known at the end of the turn in which it began.
    until_ms: Option<i64>,
}

pub(crate) enum Task {
    Survey,
    /// For the script that waits under this number.
    Install(WorkerId),
    Cloudpickle,
    /// A requirement is handed out, or taken in, under this number.
    Export(WorkerId),
    Import(WorkerId),
}

/// Where packages are installed, and where wheels may be found without a network.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    /// Nothing can be installed without it.
    pub directory: Option<PathBuf>,
    pub wheels: Option<PathBuf>,
}

impl Pool {
    pub(crate) fn prepare_script(&mut self, needs: &Needs) -> Preparing {
        // What was broken may have been repaired since somebody asked.
        if self.preparations.is_empty() {
            for home in &mut self.homes {
                if matches!(home.knowledge, Knowledge::Broken(_)) {
                    home.knowledge = Knowledge::None;
                }
            }
        }
        let worker = WorkerId(self.take_number());
        let mut preparation = Preparation {
            worker,
            needs: needs.clone(),
            installed_again: false,
            missing: Vec::new(),
            index: 0,
            failed: None,
        };
        match self.try_to_prepare(&mut preparation) {
            Some(Ok(prepared)) => {
                let is_asked = |requirement: &String| names(requirement, ASKED_FOR_AGAIN);
                let expected = needs.requirements.iter().any(is_asked).then_some(ASKED_FOR_AGAIN);
                if let Some(home) = self.homes.get_mut(prepared.interpreter) {
                    home.expected = expected;
                }
                Preparing::Ready(prepared)
            }
            Some(Err(error)) => {
                self.late.push_back((worker, FromWorker::Prepared(Err(error))));
                Preparing::Waiting(worker)
            }
            None => {
                self.preparations.push(preparation);
                Preparing::Waiting(worker)
            }
        }
    }

    /// Packages that an earlier server installed are there at once, and where wheels are provided some will be asked for:
    /// each interpreter is asked what it has.
    pub(crate) fn survey_early(&mut self) {
        let Packages { directory, wheels } = &self.spec.packages;
        if directory.as_ref().is_some_and(|base| base.exists() || wheels.is_some()) {
            for index in 0..self.homes.len() {
                self.survey(index);
            }
        }
    }

    /// The end, if it has come to one; otherwise something is under way.
    fn try_to_prepare(
        &mut self,
        preparation: &mut Preparation,
    ) -> Option<Result<Prepared, Vec<String>>> {
        if let Some(error) = preparation.failed.take() {
            return Some(Err(error));
        }
        let needs = &preparation.needs;
        let asks_nothing =
            needs.python.is_none() && needs.requirements.is_empty() && !needs.cloudpickle;
        let is_new = self
            .homes
            .first()
            .is_none_or(|home| home.job.is_none() && !matches!(home.knowledge, Knowledge::Some(_)));
        if asks_nothing && is_new {
            return Some(Ok(Prepared::default()));
        }
        let index = match self.choose(needs.python) {
            Ok(index) => index?,
            Err(error) => return Some(Err(vec![error])),
        };

        let home = &self.homes[index];
        let interpreter = home.knowledge.interpreter().expect("it was chosen for its version");
        let again = needs.again && !preparation.installed_again;
        let missing: Vec<String> = needs
            .requirements
            .iter()
            .filter(|requirement| again || interpreter.find(requirement).is_none())
            .cloned()
            .collect();
        preparation.missing.clone_from(&missing);
        preparation.index = index;
        let lacks_cloudpickle = needs.cloudpickle
            && !interpreter.has_cloudpickle()
            && !interpreter.looked_for_cloudpickle
            && self.spec.packages.directory.is_some();

        if !missing.is_empty() {
            let verb = if again { "reinstall" } else { "install" };
            let task = Task::Install(preparation.worker);
            return match self.install(index, task, verb, &missing) {
                Ok(()) => None,
                Err(error) => Some(Err(unsatisfied(vec![error.to_string()]))),
            };
        }
        if lacks_cloudpickle
            && self.install(index, Task::Cloudpickle, "try", &["cloudpickle".to_owned()]).is_ok()
        {
            return None;
        }
        let installed = preparation.needs.requirements.iter();
        let interpreter = self.homes[index].knowledge.interpreter().expect("as above");
        let installed = installed.filter_map(|requirement| interpreter.find(requirement)).collect();
        Some(Ok(Prepared { interpreter: index, installed }))
    }

    /// The first interpreter of this version, or the first at all; none while one is being asked.
    pub(crate) fn choose(&mut self, python: Option<(u32, u32)>) -> Result<Option<usize>, String> {
        let count = if python.is_some() { self.homes.len() } else { self.homes.len().min(1) };
        for index in 0..count {
            if matches!(self.homes[index].knowledge, Knowledge::None) {
                self.survey(index);
            }
            match &self.homes[index].knowledge {
                Knowledge::Some(interpreter)
                    if python.is_none_or(|version| version == interpreter.version) =>
                {
                    return Ok(Some(index));
                }
                Knowledge::Some(_) | Knowledge::Broken(_) => {}
                Knowledge::None => return Ok(None),
            }
        }
        Err(self.no_interpreter(python))
    }

    fn no_interpreter(&self, python: Option<(u32, u32)>) -> String {
        let have: Vec<String> = self
            .homes
            .iter()
            .zip(&self.spec.interpreters)
            .map(|(home, program)| {
                let program = program.to_string_lossy();
                match &home.knowledge {
                    Knowledge::Some(interpreter) => {
                        let (major, minor) = interpreter.version;
                        format!("Python {major}.{minor} ({program})")
                    }
                    Knowledge::Broken(why) => format!("{program}, which does not run: {why}"),
                    Knowledge::None => format!("{program}, which does not run"),
                }
            })
            .collect();
        let have = if have.is_empty() { "no Python".to_owned() } else { have.join(", ") };
        match python {
            Some((major, minor)) => format!(
                "Client / server Python version mismatch: the client pickled its functions with Python \
                 {major}.{minor}, this server has {have}. Start the server with `--python \
                 python{major}.{minor}` (a name or a path; the option can be given several times)."
            ),
            None => format!("no script can run: this server has {have}"),
        }
    }

    fn survey(&mut self, index: usize) {
        if self.homes[index].job.is_none()
            && let Err(error) = self.start_job(index, Task::Survey, "survey", &[], None)
        {
            self.homes[index].knowledge = Knowledge::Broken(error.to_string());
        }
    }

    /// Begins, or leaves it for later when something else is under way.
    fn install(
        &mut self,
        index: usize,
        task: Task,
        verb: &str,
        requirements: &[String],
    ) -> io::Result<()> {
        if self.spec.packages.directory.is_none() {
            return Err(io::Error::other("this server has no directory for packages"));
        }
        if self.homes[index].job.is_some() {
            return Ok(());
        }
        let wheels = self.spec.packages.wheels.clone().unwrap_or_default().into_os_string();
        let mut arguments = vec![wheels];
        arguments.extend(requirements.iter().map(OsString::from));
        self.start_job(index, task, verb, &arguments, None)
    }

    pub(crate) fn start_job(
        &mut self,
        index: usize,
        task: Task,
        verb: &str,
        arguments: &[OsString],
        given: Option<File>,
    ) -> io::Result<()> {
        let interpreter = self.spec.interpreters.get(index).ok_or(io::ErrorKind::NotFound)?;
        let given = given.map_or_else(|| installer::given(&[]), Ok)?;
        let base = self.spec.packages.directory.clone().unwrap_or_default();
        let arguments = std::iter::once(base.as_os_str())
            .chain(arguments.iter().map(OsString::as_os_str))
            .collect::<Vec<&OsStr>>();
        let installer = Installer::start(interpreter, verb, arguments.into_iter(), given)?;
        let number = self.take_number();
        self.changes.push(Change::Watch {
            fd: installer.output_fd().as_raw_fd(),
            token: number << 2 | OUTPUT,
            interest: Interest::Read,
        });
        self.homes[index].job = Some(Job { number, installer, task, until_ms: None });
        Ok(())
    }

    /// The output of a job can be read.
    pub(crate) fn read_job(&mut self, number: u64) {
        let is_it = |job: &Job| job.number == number;
        let index = self.homes.iter().position(|home| home.job.as_ref().is_some_and(is_it));
        let Some(index) = index else { return };
        let job = self.homes[index].job.as_mut().expect("just found");
        let ended = job.installer.read();
        for line in std::mem::take(&mut job.installer.findings.log) {
            self.homes[index].last_words = Some(line.clone());
            self.log.push_back((Level::Notice, line));
        }
        if ended {
            self.end_job(index);
        }
    }

    fn end_job(&mut self, index: usize) {
        let Some(Job { number, installer, task, .. }) = self.homes[index].job.take() else {
            return;
        };
        let mut ended = installer.end();
        let (success, mut findings) = (ended.success, std::mem::take(&mut ended.findings));
        if let Some(line) = findings.log.pop() {
            self.homes[index].last_words = Some(line);
        }
        let has_more = !findings.installations.is_empty();
        match task {
            Task::Survey => {
                findings.log.extend(self.homes[index].last_words.take());
                self.homes[index].knowledge = Knowledge::of(findings);
            }
            Task::Install(worker) => self.installed(index, worker, success, findings),
            Task::Export(worker) => {
                let bytes = if success {
                    ended.handed_out().map_err(|error| vec![error.to_string()])
                } else {
                    Err(findings.errors)
                };
                self.late.push_back((worker, FromWorker::Exported(bytes)));
            }
            Task::Import(worker) => self.imported(index, worker, success, findings),
            Task::Cloudpickle => {
                if let Some(interpreter) = self.homes[index].knowledge.interpreter_mut() {
                    interpreter.looked_for_cloudpickle = true;
                    interpreter.add(findings.installations);
                }
                if !success {
                    let line = "cloudpickle could not be installed: classes that scripts define \
                                cannot be pickled"
                        .into();
                    self.log.push_back((Level::Warning, line));
                }
            }
        }
        self.changes.push(Change::Forget { fd: ended.output, token: number << 2 | OUTPUT });
        if has_more {
            self.replace_warm(index);
        }
        self.advance_preparations();
        self.advance_transfers();
    }

    fn installed(&mut self, index: usize, worker: WorkerId, success: bool, findings: Findings) {
        for line in &findings.errors {
            self.log.push_back((Level::Warning, line.clone()));
        }
        if let Some(interpreter) = self.homes[index].knowledge.interpreter_mut() {
            interpreter.add(findings.installations);
        }
        let waits = self.preparations.iter().position(|waits| waits.worker == worker);
        let Some(at) = waits else { return };
        if success {
            self.preparations[at].installed_again = true;
            return;
        }
        // Whoever waits for the same would only wait for the same answer.
        let missing = std::mem::take(&mut self.preparations[at].missing);
        self.preparations[at].failed = Some(unsatisfied(findings.errors.clone()));
        for other in &mut self.preparations {
            if other.index == index && !missing.is_empty() && other.missing == missing {
                other.failed = Some(unsatisfied(findings.errors.clone()));
            }
        }
    }

    fn advance_preparations(&mut self) {
        for mut preparation in std::mem::take(&mut self.preparations) {
            match self.try_to_prepare(&mut preparation) {
                Some(outcome) => {
                    self.late.push_back((preparation.worker, FromWorker::Prepared(outcome)));
                }
                None => self.preparations.push(preparation),
            }
        }
    }

    /// Ends jobs that take too long; their output then ends, too.
    pub(crate) fn limit_jobs(&mut self, now_ms: i64) {
        for job in self.homes.iter_mut().filter_map(|home| home.job.as_mut()) {
            let until_ms = *job.until_ms.get_or_insert(now_ms + INSTALL_MS_MAX);
            if now_ms > until_ms {
                job.installer.findings.errors.push("the installation took too long".into());
                job.installer.kill();
            }
        }
    }

    pub(crate) fn end_jobs(&mut self) {
        self.preparations.clear();
        self.transfers.clear();
        for home in &mut self.homes {
            if let Some(job) = home.job.take() {
                let fd = job.installer.end().output;
                self.changes.push(Change::Forget { fd, token: job.number << 2 | OUTPUT });
            }
        }
    }
}

/// Whether this is the package that a requirement asks for, whatever follows its name.
fn names(requirement: &str, package: &str) -> bool {
    let rest = requirement.trim_start().strip_prefix(package);
    rest.is_some_and(|rest| {
        !rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '-' | '_' | '.'))
    })
}

/// In the words that RedisGears' clients look for, then the reason.
fn unsatisfied(why: Vec<String>) -> Vec<String> {
    let first =
        "Could not satisfy requirements, look at the log file for more information.".to_owned();
    std::iter::once(first).chain(why).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_names_its_package_before_extras_and_versions() {
        for requirement in
            ["redgrease", "redgrease[runtime]", "redgrease==0.3.30", "redgrease >= 0.3"]
        {
            assert!(names(requirement, "redgrease"), "{requirement}");
        }
        for other in ["redgrease-tools", "red", "redgrease2", "https://x/redgrease"] {
            assert!(!names(other, "redgrease"), "{other}");
        }
    }
}
