//! The zygotes, one for each interpreter, and the processes forked from them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use functions::host::Level;
use functions::worker::{ExitReason, WorkerId};

use super::{CONTROL, Change, Interest, OUTPUT, Pool, STREAM, ZYGOTE_OUTPUT};
use crate::interpreter::Knowledge;
use crate::mailbox::Mailbox;
use crate::message::to_worker;
use crate::preparation::Job;
use crate::process::Process;
use crate::sys;
use crate::transport::Socket;
use crate::zygote::Zygote;

/// How long the fork that replaces a warm process waits: it must not take the processor from the script just begun.
const REFILL_DELAY_MS: i64 = 2;

/// The home of one interpreter's processes.
#[derive(Default)]
pub(crate) struct Home {
    pub(super) zygote: Option<(u64, Zygote)>,
    pub(super) warm: VecDeque<u64>,
    /// Somebody took a process since the last refill.
    pub(super) wants_refill: bool,
    /// When it is made, unless nothing is left.
    refill_due_ms: Option<i64>,
    /// What it said last, to explain why it did not start.
    pub(crate) last_words: Option<String>,
    pub(crate) knowledge: Knowledge,
    /// A survey or an installation.
    pub(crate) job: Option<Job>,
    /// What the next script will probably import.
    pub(crate) expected: Option<&'static str>,
}

impl Pool {
    pub(super) fn read_zygote_output(&mut self, number: u64) {
        let Some(index) = self.home_of(number) else { return };
        let Home { zygote, last_words, .. } = &mut self.homes[index];
        let Some((_, zygote)) = zygote else { return };
        let log = &mut self.log;
        let ended = zygote.read_output(&mut |line| {
            if !line.is_empty() {
                *last_words = Some(line.clone());
                log.push_back((Level::Warning, line));
            }
        });
        if let Some(fd) = ended {
            self.changes.push(Change::Forget { fd, token: number << 2 | ZYGOTE_OUTPUT });
        }
    }

    pub(super) fn home_of(&self, zygote: u64) -> Option<usize> {
        self.homes
            .iter()
            .position(|home| home.zygote.as_ref().is_some_and(|(number, _)| *number == zygote))
    }

    /// Forgets a zygote and its processes; gives what it said last.
    pub(super) fn zygote_died(&mut self, index: usize) -> Option<String> {
        if let Some((number, _)) = &self.homes[index].zygote {
            self.read_zygote_output(*number);
        }
        let home = &mut self.homes[index];
        let (number, zygote) = home.zygote.take()?;
        forget_zygote(&mut self.changes, number, zygote);
        let said = home.last_words.take();
        let orphans: Vec<(u64, bool)> = self
            .processes
            .iter()
            .filter(|(_, process)| process.interpreter == index)
            .map(|(number, process)| (*number, process.pid.is_some()))
            .collect();
        for (number, started) in orphans {
            // The parent-death signal has killed those that were forked.
            let reason = if started {
                ExitReason::Signal(9)
            } else {
                ExitReason::NotStarted(
                    said.clone().unwrap_or_else(|| "the interpreter ended".into()),
                )
            };
            self.exited(number, reason);
        }
        said
    }

    pub(super) fn refill(&mut self, now_ms: i64) {
        for index in 0..self.homes.len() {
            let home = &mut self.homes[index];
            if !home.wants_refill {
                continue;
            }
            let due_ms = *home.refill_due_ms.get_or_insert(now_ms + REFILL_DELAY_MS);
            if !home.warm.is_empty() && now_ms < due_ms {
                continue;
            }
            home.wants_refill = false;
            home.refill_due_ms = None;
            while self.homes[index].warm.len() < self.spec.warm {
                match self.fork(index) {
                    Ok(number) => self.homes[index].warm.push_back(number),
                    Err(error) => {
                        self.log.push_back((Level::Warning, format!("no warm worker: {error}")));
                        break;
                    }
                }
            }
        }
    }

    fn fork(&mut self, index: usize) -> io::Result<u64> {
        let interpreter = self.spec.interpreters.get(index).ok_or(io::ErrorKind::NotFound)?;
        if self.homes[index].zygote.is_none() {
            let zygote = Zygote::start(interpreter, &self.spec.environment).map_err(|error| {
                let text = format!("cannot start '{}': {error}", interpreter.display());
                io::Error::new(error.kind(), text)
            })?;
            let number = self.next;
            self.next += 1;
            watch(&mut self.changes, zygote.control_fd(), number << 2 | CONTROL);
            if let Some(fd) = zygote.output_fd() {
                watch(&mut self.changes, fd, number << 2 | ZYGOTE_OUTPUT);
            }
            self.homes[index].zygote = Some((number, zygote));
        }
        let (_, zygote) = self.homes[index].zygote.as_ref().expect("started above");
        let (stream, theirs) = Socket::pair()?;
        let (output, write_end) = io::pipe()?;
        sys::set_nonblocking(output.as_fd())?;
        let (mailbox, memory) = match self.spec.mailboxes.then(Mailbox::new).transpose()? {
            Some((mailbox, memory)) => (Some(mailbox), Some(memory)),
            None => (None, None),
        };
        let mut fds = vec![theirs.as_fd(), write_end.as_fd()];
        fds.extend(memory.as_ref().map(AsFd::as_fd));
        let number = self.next;
        zygote.fork(number, &fds)?;
        self.next += 1;

        let process = Process::new(index, stream, output, mailbox);
        if let Some(fd) = process.stream_fd() {
            watch(&mut self.changes, fd, number << 2 | STREAM);
        }
        if let Some(fd) = process.output_fd() {
            watch(&mut self.changes, fd, number << 2 | OUTPUT);
        }
        self.processes.insert(number, process);
        self.tell_packages(index, number);
        Ok(number)
    }

    /// At once, while nobody waits for the process: it takes as long as a short script.
    fn tell_packages(&mut self, index: usize, number: u64) {
        let interpreter = self.homes[index].knowledge.interpreter();
        let sites: Vec<String> =
            interpreter.map(|known| known.sites().collect()).unwrap_or_default();
        let expected = self.homes[index].expected;
        if !sites.is_empty() {
            self.queue(WorkerId(number), |to| {
                to.tuple(3);
                to.int(to_worker::PACKAGES);
                to.list(sites.len());
                sites.iter().for_each(|site| to.text(site));
                match expected {
                    Some(module) => to.text(module),
                    None => to.none(),
                }
            });
        }
    }

    /// The processes that wait for a session know other packages than there are now: others take their place.
    pub(crate) fn replace_warm(&mut self, index: usize) {
        for number in std::mem::take(&mut self.homes[index].warm) {
            self.homes[index].wants_refill = true;
            self.kill_process(number);
            self.remove(number);
        }
    }

    /// A warm process, or a new one; otherwise why there is none.
    pub(super) fn take(&mut self, index: usize) -> Result<u64, String> {
        let home = self.homes.get_mut(index).ok_or("this interpreter is not configured")?;
        home.wants_refill = true;
        if let Some(warm) = home.warm.pop_front() {
            return Ok(warm);
        }
        match self.fork(index) {
            Ok(number) => Ok(number),
            // The zygote may have died unnoticed; a new one is worth one try.
            Err(_) => {
                let why = self.zygote_died(index);
                self.fork(index).map_err(|error| why.unwrap_or_else(|| error.to_string()))
            }
        }
    }
}

fn watch(changes: &mut Vec<Change>, fd: BorrowedFd<'_>, token: u64) {
    changes.push(Change::Watch { fd: fd.as_raw_fd(), token, interest: Interest::Read });
}

pub(super) fn forget_zygote(changes: &mut Vec<Change>, number: u64, zygote: Zygote) {
    let (control, output) = zygote.end();
    changes.push(Change::Forget { fd: control, token: number << 2 | CONTROL });
    if let Some(fd) = output {
        changes.push(Change::Forget { fd, token: number << 2 | ZYGOTE_OUTPUT });
    }
}
