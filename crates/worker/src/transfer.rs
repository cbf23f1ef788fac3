//! Requirements on their way to another server, and from one: python/mainspring_installer/transfer.py makes and reads them.

use std::ffi::OsString;
use std::fs::File;

use functions::host::Level;
use functions::worker::{FromWorker, Installed, Prepared, WorkerId};

use crate::installer::{self, Findings};
use crate::pool::Pool;
use crate::preparation::Task;

/// One that waits for its interpreter to have nothing else to do.
pub(crate) struct Transfer {
    worker: WorkerId,
    kind: Kind,
}

enum Kind {
    Export(Installed),
    /// In memory, after the installer's own modules; for this Python.
    Import(Option<File>, (u32, u32)),
}

/// What the first line begins with; the rest of it is the version of Python.
const MARK: &str = "mainspring-requirement 1 ";
const MARK_LINE_MAX: usize = 40;
const BYTES_MAX: usize = 600 << 20;

impl Pool {
    pub(crate) fn begin_export(&mut self, installed: &Installed) -> WorkerId {
        let worker = WorkerId(self.take_number());
        self.transfers.push(Transfer { worker, kind: Kind::Export(installed.clone()) });
        self.advance_transfers();
        worker
    }

    pub(crate) fn begin_import(&mut self, parts: &[&[u8]]) -> WorkerId {
        let worker = WorkerId(self.take_number());
        match received(parts) {
            Ok((file, python)) => {
                let kind = Kind::Import(Some(file), python);
                self.transfers.push(Transfer { worker, kind });
                self.advance_transfers();
            }
            Err(why) => self.late.push_back((worker, FromWorker::Prepared(Err(vec![why])))),
        }
        worker
    }

    pub(crate) fn advance_transfers(&mut self) {
        for mut transfer in std::mem::take(&mut self.transfers) {
            match self.try_to_transfer(&mut transfer) {
                Ok(true) => {}
                Ok(false) => self.transfers.push(transfer),
                Err(why) => {
                    let message = match transfer.kind {
                        Kind::Export(_) => FromWorker::Exported(Err(vec![why])),
                        Kind::Import(..) => FromWorker::Prepared(Err(vec![why])),
                    };
                    self.late.push_back((transfer.worker, message));
                }
            }
        }
    }

    /// Whether it has begun.
    fn try_to_transfer(&mut self, transfer: &mut Transfer) -> Result<bool, String> {
        if self.spec.packages.directory.is_none() {
            return Err("this server has no directory for packages".into());
        }
        let index = match &transfer.kind {
            Kind::Export(installed) => {
                let has = |home: &crate::pool::Home| {
                    let known = home.knowledge.interpreter();
                    known.is_some_and(|known| known.has_installation(&installed.path))
                };
                Some(self.homes.iter().position(has).ok_or("it is not installed any more")?)
            }
            Kind::Import(_, python) => {
                let (major, minor) = *python;
                self.choose(Some(*python)).map_err(|_| {
                    format!(
                        "it was exported for Python {major}.{minor}, which this server does not have: \
                         start it with `--python python{major}.{minor}`"
                    )
                })?
            }
        };
        let Some(index) = index.filter(|index| self.homes[*index].job.is_none()) else {
            return Ok(false);
        };

        let worker = transfer.worker;
        let started = match &mut transfer.kind {
            Kind::Export(installed) => {
                let arguments = [&installed.path, &installed.requirement].map(OsString::from);
                self.start_job(index, Task::Export(worker), "export", &arguments, None)
            }
            Kind::Import(file, _) => {
                self.start_job(index, Task::Import(worker), "import", &[], file.take())
            }
        };
        started.map(|()| true).map_err(|error| error.to_string())
    }

    pub(crate) fn imported(
        &mut self,
        index: usize,
        worker: WorkerId,
        success: bool,
        findings: Findings,
    ) {
        for line in &findings.errors {
            self.log.push_back((Level::Warning, line.clone()));
        }
        let requirements: Vec<String> =
            findings.installations.iter().flat_map(|one| one.requirements.clone()).collect();
        let Some(interpreter) = self.homes[index].knowledge.interpreter_mut() else { return };
        interpreter.add(findings.installations);
        let installed =
            requirements.iter().filter_map(|requirement| interpreter.find(requirement)).collect();
        let outcome = if success {
            Ok(Prepared { interpreter: index, installed })
        } else {
            Err(findings.errors)
        };
        self.late.push_back((worker, FromWorker::Prepared(outcome)));
    }
}

/// Looks at the first line only, which says whose it is; the rest is for a process of its own to read.
fn received(parts: &[&[u8]]) -> Result<(File, (u32, u32)), String> {
    let first: Vec<u8> =
        parts.iter().flat_map(|part| part.iter()).take(MARK_LINE_MAX).copied().collect();
    let python = python_of(&first)
        .ok_or("this is no requirement that was exported here: it does not begin as one")?;
    if parts.iter().map(|part| part.len()).sum::<usize>() > BYTES_MAX {
        return Err(format!("a requirement of more than {} MB is refused", BYTES_MAX >> 20));
    }
    let file = installer::given(parts).map_err(|error| error.to_string())?;
    Ok((file, python))
}

fn python_of(first: &[u8]) -> Option<(u32, u32)> {
    let line = first.split(|byte| *byte == b'\n').next()?;
    let version = str::from_utf8(line).ok()?.strip_prefix(MARK)?;
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_for_which_python_a_requirement_is() {
        assert_eq!(python_of(b"mainspring-requirement 1 3.11\n{}"), Some((3, 11)));
        for other in
            ["", "\n", "mainspring-requirement 2 3.11\n", "mainspring-requirement 1 3\n", "PK"]
        {
            assert_eq!(python_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_parts_of_a_requirement_may_be_of_any_length() {
        let mut parts: Vec<&[u8]> = b"mainspring-requirement 1 3.1".chunks(1).collect();
        parts.push(b"2\n");
        assert_eq!(received(&parts).unwrap().1, (3, 12));
        assert!(received(&[b"mainspring"]).is_err());
    }
}
