//! A child process that does one job for an interpreter, from surveying it to installing packages for it:
//! python/mainspring_installer.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use crate::{marshal, runtime, sys};

pub(crate) struct Installer {
    child: Child,
    output: PipeReader,
    partial: Vec<u8>,
    /// What it was given; an export takes its place.
    given: File,
    /// What it found out so far.
    pub(crate) findings: Findings,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) python: Option<(u32, u32)>,
    pub(crate) has_cloudpickle: bool,
    pub(crate) installations: Vec<Installation>,
    pub(crate) errors: Vec<String>,
    /// For the server's log.
    pub(crate) log: Vec<String>,
}

/// Packages that were installed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Installation {
    pub(crate) path: String,
    pub(crate) requirements: Vec<String>,
    pub(crate) wheels: Vec<String>,
}

impl Installation {
    pub(crate) fn site(&self) -> String {
        format!("{}/site", self.path)
    }

    pub(crate) fn has(&self, package: &str) -> bool {
        self.wheels
            .iter()
            .any(|wheel| wheel.strip_prefix(package).is_some_and(|rest| rest.starts_with('-')))
    }
}

/// Lines longer than this come from no installer of ours.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What a job is given: a file in memory that begins with the installer's own modules.
pub(crate) fn given(parts: &[&[u8]]) -> io::Result<File> {
    let mut file = sys::memory_file(c"mainspring-installer")?;
    file.write_all(&marshal::sources(runtime::INSTALLER_MODULES))?;
    for part in parts {
        file.write_all(part)?;
    }
    file.rewind()?;
    Ok(file)
}

impl Installer {
    pub(crate) fn start<'a>(
        interpreter: &OsStr,
        job: &str,
        arguments: impl Iterator<Item = &'a OsStr>,
        given: File,
    ) -> io::Result<Self> {
        let (output, write_end) = io::pipe()?;
        sys::set_nonblocking(output.as_fd())?;
        // Isolated as the zygote is; but pip's own settings in the environment are the administrator's and count.
        // A group of its own, so that whatever pip started can be ended with it.
        let child = Command::new(interpreter)
            .args(["-I", "-X", "utf8", "-c", runtime::INSTALLER_STUB, job])
            .args(arguments)
            .stdin(given.try_clone()?)
            .stdout(write_end.try_clone()?)
            .stderr(write_end)
            .process_group(0)
            .spawn()?;
        Ok(Installer { child, output, partial: Vec::new(), given, findings: Findings::default() })
    }

    pub(crate) fn output_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    /// Reads what it says; true when it has ended.
    pub(crate) fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        loop {
            match self.output.read(&mut bytes) {
                Ok(0) => return true,
                Ok(length) => {
                    self.partial.extend_from_slice(&bytes[..length]);
                    self.take_lines();
                    if self.partial.len() > LINE_BYTES_MAX {
                        return true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
    }

    fn take_lines(&mut self) {
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else { return };
        for line in self.partial[..end].split(|byte| *byte == b'\n') {
            self.findings.note(&String::from_utf8_lossy(line));
        }
        self.partial.drain(..=end);
    }

    pub(crate) fn kill(&self) {
        sys::kill_group(&self.child);
    }

    /// Reaps it. Its output has ended, so it ends now or is none of ours: then it is made to.
    pub(crate) fn end(mut self) -> Ended {
        self.kill();
        let success = self.child.wait().is_ok_and(|status| status.success());
        if !self.partial.is_empty() {
            let rest = String::from_utf8_lossy(&self.partial).into_owned();
            self.findings.note(&rest);
        }
        if !success && self.findings.errors.is_empty() {
            self.findings.errors.push("the installer ended early: the log says more".into());
        }
        let Installer { output, given, findings, .. } = self;
        Ended { success, findings, given, output: OwnedFd::from(output) }
    }
}

/// What is left of a job.
pub(crate) struct Ended {
    /// Whether it did what it should.
    pub(crate) success: bool,
    pub(crate) findings: Findings,
    given: File,
    /// The descriptor that is still watched.
    pub(crate) output: OwnedFd,
}

impl Ended {
    /// What an export left in the place of what it was given.
    pub(crate) fn handed_out(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.given.rewind()?;
        self.given.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Findings {
    fn note(&mut self, line: &str) {
        let (verb, text) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "python" => self.python = version(text),
            "has" => self.has_cloudpickle |= text == "cloudpickle",
            "installation" => self
                .installations
                .push(Installation { path: text.into(), ..Installation::default() }),
            "requirement" => self.last(|installation| installation.requirements.push(text.into())),
            "wheel" => self.last(|installation| installation.wheels.push(text.into())),
            "error" => self.errors.push(text.into()),
            "log" => self.log.push(text.into()),
            // A traceback, or the words of an interpreter that did not start.
            _ if !line.trim().is_empty() => self.log.push(line.into()),
            _ => {}
        }
    }

    fn last(&mut self, change: impl FnOnce(&mut Installation)) {
        if let Some(installation) = self.installations.last_mut() {
            change(installation);
        }
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installer_tells_what_is_there_in_lines() {
        let mut findings = Findings::default();
        for line in [
            "python 3.11",
            "has cloudpickle",
            "installation /a b/3.11/000001",
            "requirement redgrease[runtime]",
            "wheel redgrease-0.3.30-py3-none-any.whl",
            "error no network",
            "Traceback",
        ] {
            findings.note(line);
        }
        assert_eq!(findings.python, Some((3, 11)));
        assert!(findings.has_cloudpickle);
        let installation = &findings.installations[0];
        assert_eq!(installation.site(), "/a b/3.11/000001/site");
        assert_eq!(installation.requirements, ["redgrease[runtime]"]);
        assert!(installation.has("redgrease") && !installation.has("red"));
        assert_eq!(
            (&findings.errors[..], &findings.log[..]),
            (&["no network".to_owned()][..], &["Traceback".to_owned()][..])
        );
    }
}
