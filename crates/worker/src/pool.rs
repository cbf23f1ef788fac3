//! The pool: zygotes, warm processes, sessions; and the door [`Workers`] in front of them.

mod door;
mod homes;
mod mail;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use functions::host::Level;
use functions::worker::{ExitReason, FromWorker, WorkerId};

pub(crate) use self::homes::Home;
use crate::environment::Environment;
use crate::mailbox::Mailbox;
use crate::marshal::Writer;
use crate::preparation::{Packages, Preparation};
use crate::process::{Process, Reading, printed};
use crate::sys;
use crate::transfer::Transfer;
use crate::zygote::Notice;

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// Python programs; [`functions::worker::SessionSpec::interpreter`] counts into them.
    pub interpreters: Vec<OsString>,
    /// Idle processes kept ready for each interpreter that is in use.
    pub warm: usize,
    pub packages: Packages,
    pub environment: Environment,
    /// Whether workers have a mailbox: the host then looks into them ([`Pool::look`]) whenever it has a moment.
    pub mailboxes: bool,
}

/// Worker processes and the descriptors to them. Nothing here blocks, but [`Pool::wait_one`].
///
/// A zygote dies with the thread that started it (the parent-death signal of Linux follows threads): create the pool
/// on, and drive it from, a thread that lives as long as the server.
pub struct Pool {
    pub(crate) spec: PoolSpec,
    pub(crate) homes: Vec<Home>,
    /// Scripts that wait for their interpreter or their packages.
    pub(crate) preparations: Vec<Preparation>,
    /// Requirements that wait to be handed out or taken in.
    pub(crate) transfers: Vec<Transfer>,
    processes: BTreeMap<u64, Process>,
    /// Numbers of processes and zygotes; never used again.
    next: u64,
    /// Processes with something to write.
    unsent: Vec<u64>,
    pub(crate) changes: Vec<Change>,
    /// Messages found while something else was waited for.
    pub(crate) late: VecDeque<(WorkerId, FromWorker)>,
    /// Descriptors whose turn's share was used up.
    unread: Vec<u64>,
    /// Processes whose mailboxes are looked into.
    attended: Vec<u64>,
    pub(crate) log: VecDeque<(Level, String)>,
    scratch: Vec<u8>,
    /// Scratch for what goes into a mailbox.
    answer: Vec<u8>,
    second: i64,
}

/// A descriptor that the host's event loop shall watch, watch differently, or stop watching.
#[derive(Debug)]
pub enum Change {
    Watch {
        fd: RawFd,
        token: u64,
        interest: Interest,
    },
    Modify {
        fd: RawFd,
        token: u64,
        interest: Interest,
    },
    /// Stop watching; the descriptor is closed when this value is dropped.
    Forget {
        fd: OwnedFd,
        token: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Read,
    ReadWrite,
}

/// The lowest bits of a token say which descriptor of a process or zygote it is; the others its number.
const STREAM: u64 = 0;
pub(crate) const OUTPUT: u64 = 1;
const CONTROL: u64 = 2;
const ZYGOTE_OUTPUT: u64 = 3;

const SCRATCH_BYTES: usize = 256 * 1024;

impl Pool {
    /// Starts the first interpreter's zygote, so that the first session finds a warm process.
    pub fn new(spec: PoolSpec) -> Self {
        let homes = spec.interpreters.iter().map(|_| Home::default()).collect();
        let mut pool = Pool {
            spec,
            homes,
            preparations: Vec::new(),
            transfers: Vec::new(),
            processes: BTreeMap::new(),
            next: 1,
            unsent: Vec::new(),
            changes: Vec::new(),
            late: VecDeque::new(),
            unread: Vec::new(),
            attended: Vec::new(),
            log: VecDeque::new(),
            scratch: vec![0; SCRATCH_BYTES],
            answer: Vec::new(),
            second: 0,
        };
        if let Some(home) = pool.homes.first_mut() {
            home.wants_refill = true;
        }
        pool.refill(0);
        pool.survey_early();
        pool
    }

    /// What changed among the descriptors since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The descriptor behind `token` is ready: reads and writes what it can.
    pub fn ready(&mut self, token: u64, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        let number = token >> 2;
        match token & 3 {
            STREAM => {
                self.write(number);
                self.read(number, sink);
            }
            OUTPUT if self.processes.contains_key(&number) => self.read_output(number, sink),
            OUTPUT => {
                self.read_job(number);
                self.deliver_late(sink);
            }
            CONTROL => {
                self.read_control(number);
                self.deliver_late(sink);
            }
            _ => self.read_zygote_output(number),
        }
    }

    /// Whether [`Pool::overdue`] has something to do: then the host must not sleep.
    pub fn has_overdue(&self) -> bool {
        !self.late.is_empty() || !self.unread.is_empty()
    }

    /// Whether a flush has something to write: then the host must not sleep before one.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Yields what was set aside: exits seen during [`Pool::wait_one`], floods that exceeded their share.
    pub fn overdue(&mut self, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        self.deliver_late(sink);
        for token in std::mem::take(&mut self.unread) {
            self.ready(token, sink);
        }
    }

    /// Ends the turn: one write for each worker that has something queued. `now_ms` is any clock that goes forward.
    /// Whether a worker whose mailbox is looked into got something: it may say something soon.
    pub fn flush(&mut self, now_ms: i64) -> bool {
        let mut is_lively = false;
        for number in std::mem::take(&mut self.unsent) {
            if self.processes.get(&number).is_some_and(|process| !process.blocked) {
                self.write(number);
                is_lively |= self.attended.contains(&number);
            }
        }
        self.refill(now_ms);
        if now_ms / 1000 != self.second {
            self.second = now_ms / 1000;
            self.limit_jobs(now_ms);
            for (number, process) in &mut self.processes {
                let late = &mut self.late;
                process
                    .lines
                    .refill(&mut |line| late.push_back((WorkerId(*number), printed(line))));
            }
        }
        is_lively
    }

    /// Serves only this worker until a message of it was yielded, or the time is over (then `false`).
    pub fn wait_one(
        &mut self,
        worker: WorkerId,
        timeout: Duration,
        sink: &mut dyn FnMut(WorkerId, FromWorker),
    ) -> bool {
        let number = worker.0;
        let mut seen = false;
        self.yield_late_of(worker, &mut seen, sink);
        self.await_mail(number);
        self.look_at(number, &mut |from, message| {
            seen = true;
            sink(from, message);
        });
        if seen {
            return true;
        }
        // Nobody looks into mailboxes while we sleep.
        let left =
            self.mailbox(number).filter(|mailbox| !timeout.is_zero() && mailbox.is_attended());
        let has_left = left.is_some();
        let timeout = if left.is_none_or(Mailbox::leave) { timeout } else { Duration::ZERO };
        self.write(number);
        if let Some(process) = self.processes.get(&number) {
            let control = self.homes[process.interpreter]
                .zygote
                .as_ref()
                .map(|(number, zygote)| (*number, zygote.control_fd()));
            let watched: Vec<(BorrowedFd<'_>, bool)> = process
                .stream_fd()
                .map(|fd| (fd, process.blocked))
                .into_iter()
                .chain(control.map(|(_, fd)| (fd, false)))
                .collect();
            // An error here is a programming error; reading below finds out what can be found.
            let is_ready = sys::wait(&watched, timeout).unwrap_or(true);
            let control = control.map(|(number, _)| number);

            if is_ready {
                self.write(number);
                self.read(number, &mut |from, message| {
                    seen = true;
                    sink(from, message);
                });
                if !seen && let Some(control) = control {
                    self.read_control(control);
                }
            }
        }
        if has_left && let Some(mailbox) = self.mailbox(number) {
            mailbox.attend();
            self.look_at(number, &mut |from, message| {
                seen = true;
                sink(from, message);
            });
        }
        self.yield_late_of(worker, &mut seen, sink);
        seen
    }

    /// Bytes that wait to be written to a worker: the measure for whoever feeds it.
    pub fn queued_bytes(&self, worker: WorkerId) -> usize {
        self.processes.get(&worker.0).map_or(0, |process| process.outbox.len())
    }

    /// What the interpreters said outside any session: for the server's log.
    pub fn take_log(&mut self) -> impl Iterator<Item = (Level, String)> {
        std::mem::take(&mut self.log).into_iter()
    }

    /// Ends every process. The pool can still be asked, but starts nothing any more.
    pub fn shutdown(&mut self) {
        self.end_jobs();
        for home in &mut self.homes {
            home.warm.clear();
            home.wants_refill = false;
            if let Some((number, zygote)) = home.zygote.take() {
                homes::forget_zygote(&mut self.changes, number, zygote);
            }
        }
        for number in self.processes.keys().copied().collect::<Vec<_>>() {
            self.remove(number);
        }
        self.spec.interpreters.clear();
    }

    /// A number that nothing had before.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    fn queue(&mut self, worker: WorkerId, write: impl FnOnce(&mut Writer<'_>)) {
        let Some(process) = self.processes.get_mut(&worker.0) else { return };
        if process.broken.is_some() || process.stream_fd().is_none() {
            return;
        }
        process.outbox.message(write);
        if self.unsent.last() != Some(&worker.0) {
            self.unsent.push(worker.0);
        }
    }

    fn write(&mut self, number: u64) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        let was_blocked = process.blocked;
        process.write();
        if process.blocked != was_blocked
            && let Some(fd) = process.stream_fd()
        {
            let interest = if process.blocked { Interest::ReadWrite } else { Interest::Read };
            self.changes.push(Change::Modify {
                fd: fd.as_raw_fd(),
                token: number << 2 | STREAM,
                interest,
            });
        }
    }

    fn read(&mut self, number: u64, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        if process.broken.is_some() {
            return;
        }
        let mut is_lively = false;
        let reading = process.read(&mut self.scratch, &mut |message| {
            is_lively |=
                message.token().is_some() || matches!(message, FromWorker::Progress { .. });
            sink(WorkerId(number), message);
        });
        let refused = process.refused.take();
        if is_lively {
            self.attend_from_now_on(number);
        }
        self.refuse(number, refused);
        match reading {
            Reading::Drained => {}
            Reading::More => self.unread.push(number << 2 | STREAM),
            // Whatever it has queued nobody will read; how it ended the zygote will tell.
            Reading::Ended => self.end_stream(number),
            Reading::Broken(why) => self.break_off(number, why),
        }
    }

    /// Ends a process that broke the protocol.
    fn break_off(&mut self, number: u64, why: String) {
        if let Some(process) = self.processes.get_mut(&number) {
            process.broken = Some(why);
        }
        self.end_stream(number);
    }

    /// A process without a stream serves nobody, should it live on.
    fn end_stream(&mut self, number: u64) {
        let process = self.processes.get_mut(&number);
        if let Some(fd) = process.and_then(Process::take_stream) {
            self.changes.push(Change::Forget { fd, token: number << 2 | STREAM });
        }
        self.kill_process(number);
    }

    fn read_output(&mut self, number: u64, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        match process.read_output(&mut |message| sink(WorkerId(number), message)) {
            Reading::More => self.unread.push(number << 2 | OUTPUT),
            Reading::Ended => {
                if let Some(fd) = process.take_output() {
                    self.changes.push(Change::Forget { fd, token: number << 2 | OUTPUT });
                }
            }
            Reading::Drained | Reading::Broken(_) => {}
        }
    }

    fn read_control(&mut self, number: u64) {
        let Some(index) = self.home_of(number) else { return };
        loop {
            let Some((_, zygote)) = &self.homes[index].zygote else { return };
            match zygote.notice() {
                Ok(Some(Notice::Started { process, pid })) => {
                    if let Some(process) = self.processes.get_mut(&process) {
                        process.pid = Some(pid);
                    }
                }
                Ok(Some(Notice::Exited { process, status })) => {
                    let status = ExitStatus::from_raw(status);
                    let reason = match status.signal() {
                        Some(signal) => ExitReason::Signal(signal),
                        None => ExitReason::Code(status.code().unwrap_or(-1)),
                    };
                    self.exited(process, reason);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(None) | Err(_) => {
                    self.zygote_died(index);
                    return;
                }
            }
        }
    }

    /// The end of a process is known: first what it still said, then that it is gone.
    fn exited(&mut self, number: u64, reason: ExitReason) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        let late = &mut self.late;
        process
            .drain(&mut self.scratch, &mut |message| late.push_back((WorkerId(number), message)));
        if process.taken {
            let reason = process.exit_reason(reason);
            late.push_back((WorkerId(number), FromWorker::Exited { reason }));
        }
        self.remove(number);
    }

    fn remove(&mut self, number: u64) {
        let Some(mut process) = self.processes.remove(&number) else { return };
        self.homes[process.interpreter].warm.retain(|warm| *warm != number);
        if let Some(fd) = process.take_stream() {
            self.changes.push(Change::Forget { fd, token: number << 2 | STREAM });
        }
        if let Some(fd) = process.take_output() {
            self.changes.push(Change::Forget { fd, token: number << 2 | OUTPUT });
        }
    }

    fn kill_process(&mut self, number: u64) {
        let Some(process) = self.processes.get(&number) else { return };
        if let Some((_, zygote)) = &self.homes[process.interpreter].zygote {
            // Fails only when the zygote is gone, and its children with it.
            let _ = zygote.kill(number);
        }
    }

    fn deliver_late(&mut self, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        for (worker, message) in std::mem::take(&mut self.late) {
            sink(worker, message);
        }
    }

    fn yield_late_of(
        &mut self,
        worker: WorkerId,
        seen: &mut bool,
        sink: &mut dyn FnMut(WorkerId, FromWorker),
    ) {
        for (from, message) in std::mem::take(&mut self.late) {
            if from == worker {
                *seen = true;
                sink(from, message);
            } else {
                self.late.push_back((from, message));
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}
