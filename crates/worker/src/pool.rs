//! The pool: zygotes, warm processes, sessions; and the door [`Workers`] in front of them.

mod mail;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use functions::host::Level;
use functions::plan::Argument;
use functions::worker::{
    ExecutionId, ExitReason, Forbidden, FromWorker, FunctionId, Installed, LineId, Needs,
    Preparing, Profiling, RecordSink, SessionSpec, Source, Token, Usage, WorkerId, Workers,
};

use crate::environment::Environment;
use crate::interpreter::Knowledge;
use crate::mailbox::Mailbox;
use crate::marshal::{Names, Writer};
use crate::message::to_worker;
use crate::preparation::{Job, Packages, Preparation};
use crate::process::{Process, Reading, printed};
use crate::records::Records;
use crate::transfer::Transfer;
use crate::transport::Socket;
use crate::zygote::{Notice, Zygote};
use crate::{confinement, resp2, sys, usage};

/// What a pool is made of.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// Python programs; [`SessionSpec::interpreter`] counts into them.
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

/// The home of one interpreter's processes.
#[derive(Default)]
pub(crate) struct Home {
    zygote: Option<(u64, Zygote)>,
    warm: VecDeque<u64>,
    /// Somebody took a process since the last refill.
    wants_refill: bool,
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

/// How long the fork that replaces a warm process waits: it must not take the processor from the script just begun.
const REFILL_DELAY_MS: i64 = 2;

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
                forget_zygote(&mut self.changes, number, zygote);
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

    /// Answers a call where the worker looks for the answer.
    fn reply(
        &mut self,
        worker: WorkerId,
        token: Token,
        success: bool,
        value: impl Fn(&mut Writer<'_>),
    ) {
        let process = self.processes.get_mut(&worker.0);
        let mailbox = process.and_then(|process| process.mailbox.as_mut());
        if let Some(mailbox) = mailbox.filter(|mailbox| mailbox.is_asked(token)) {
            self.answer.clear();
            let mut names = Names::default();
            let mut to = Writer::new(&mut self.answer, &mut names);
            value(&mut to);
            let marked = to.marked;
            if mailbox.answer(success, marked, &self.answer) {
                return;
            }
        }
        self.queue(worker, |to| answer(to, token, success, value));
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

    fn read_zygote_output(&mut self, number: u64) {
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

    fn home_of(&self, zygote: u64) -> Option<usize> {
        self.homes
            .iter()
            .position(|home| home.zygote.as_ref().is_some_and(|(number, _)| *number == zygote))
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

    /// Forgets a zygote and its processes; gives what it said last.
    fn zygote_died(&mut self, index: usize) -> Option<String> {
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

    fn refill(&mut self, now_ms: i64) {
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
    fn take(&mut self, index: usize) -> Result<u64, String> {
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

fn watch(changes: &mut Vec<Change>, fd: BorrowedFd<'_>, token: u64) {
    changes.push(Change::Watch { fd: fd.as_raw_fd(), token, interest: Interest::Read });
}

fn forget_zygote(changes: &mut Vec<Change>, number: u64, zygote: Zygote) {
    let (control, output) = zygote.end();
    changes.push(Change::Forget { fd: control, token: number << 2 | CONTROL });
    if let Some(fd) = output {
        changes.push(Change::Forget { fd, token: number << 2 | ZYGOTE_OUTPUT });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Workers for Pool {
    fn prepare(&mut self, needs: &Needs) -> Preparing {
        self.prepare_script(needs)
    }

    fn export(&mut self, installed: &Installed) -> WorkerId {
        self.begin_export(installed)
    }

    fn import(&mut self, parts: &[&[u8]]) -> WorkerId {
        self.begin_import(parts)
    }

    fn start(&mut self, spec: &SessionSpec) -> WorkerId {
        let number = match self.take(spec.interpreter) {
            Ok(number) => number,
            Err(error) => {
                let worker = WorkerId(self.next);
                self.next += 1;
                let reason = ExitReason::NotStarted(error);
                self.late.push_back((worker, FromWorker::Exited { reason }));
                return worker;
            }
        };
        self.processes.get_mut(&number).expect("just taken").taken = true;
        let worker = WorkerId(number);
        self.queue(worker, |to| {
            to.tuple(8);
            to.int(to_worker::SESSION);
            to.text(&spec.name);
            to.int(i64::try_from(spec.threads.max(1)).unwrap_or(i64::MAX));
            limit(to, spec.memory_bytes_max);
            limit(to, spec.cpu_ms_max);
            limit(to, spec.files_max);
            to.list(spec.forbidden.len());
            spec.forbidden.iter().for_each(|what| to.text(confinement::name(*what)));
            to.bool(spec.short_errors);
        });
        worker
    }

    fn script(&mut self, worker: WorkerId, code: &[u8]) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::SCRIPT);
            to.bytes(code);
        });
    }

    fn load(&mut self, worker: WorkerId, functions: &[(FunctionId, &[u8])]) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::LOAD);
            to.list(functions.len());
            for (function, pickle) in functions {
                to.tuple(2);
                to.int(i64::from(function.0));
                to.bytes(pickle);
            }
        });
    }

    fn open(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        first_step: usize,
        source: Source,
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::OPEN);
            number(to, execution.0);
            to.int(i64::from(function.0));
            number(to, first_step as u64);
            to.bool(source == Source::Callback);
        });
    }

    fn feed(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        last: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::FEED);
            number(to, execution.0);
            to.bool(last);
            batch(to, fill);
        });
    }

    fn invoke(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::INVOKE);
            number(to, execution.0);
            to.int(i64::from(function.0));
            batch(to, fill);
        });
    }

    fn invoke_in_line(
        &mut self,
        worker: WorkerId,
        line: LineId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(6);
            to.int(to_worker::INVOKE_IN_LINE);
            number(to, line.0);
            number(to, execution.0);
            to.int(i64::from(function.0));
            batch(to, fill);
        });
    }

    fn withdraw(&mut self, worker: WorkerId, line: LineId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::WITHDRAW);
            number(to, line.0);
        });
    }

    fn invoke_inside(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        may_suspend: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        // Whoever looks for an answer has to look for this first: it comes before the answer does.
        if let Some(mailbox) = self.mailbox(worker.0) {
            mailbox.send_elsewhere();
        }
        self.queue(worker, |to| {
            to.tuple(6);
            to.int(to_worker::INVOKE_INSIDE);
            number(to, execution.0);
            to.int(i64::from(function.0));
            to.bool(may_suspend);
            batch(to, fill);
        });
    }

    fn hand_back(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        results: &[Argument],
        errors: &[String],
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::HAND_BACK);
            number(to, execution.0);
            to.list(errors.len());
            errors.iter().for_each(|error| to.text(error));
            to.list(results.len());
            results.iter().for_each(|result| to.argument(result));
            let marked = to.marked;
            to.bool(marked);
        });
    }

    fn abort(&mut self, worker: WorkerId, execution: ExecutionId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::ABORT);
            number(to, execution.0);
        });
    }

    fn abort_script(&mut self, worker: WorkerId) {
        self.queue(worker, |to| {
            to.tuple(1);
            to.int(to_worker::ABORT_SCRIPT);
        });
    }

    fn time_event(&mut self, worker: WorkerId, event: u32) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::TIME_EVENT);
            to.int(i64::from(event));
        });
    }

    fn answer_wire(&mut self, worker: WorkerId, token: Token, wire: &[u8]) {
        if let Some(text) = resp2::error(wire) {
            return self.answer(worker, token, Err(String::from_utf8_lossy(text).into_owned()));
        }
        self.reply(worker, token, true, |to| resp2::write(wire, to));
    }

    fn answer(&mut self, worker: WorkerId, token: Token, result: Result<Argument, String>) {
        match &result {
            Ok(value) => self.reply(worker, token, true, |to| to.argument(value)),
            Err(text) => self.reply(worker, token, false, |to| to.text(text)),
        }
    }

    fn forget(&mut self, worker: WorkerId, function: FunctionId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::FORGET);
            to.int(i64::from(function.0));
        });
    }

    fn profile(&mut self, worker: WorkerId, what: Profiling<'_>) {
        let (word, request, order) = match what {
            Profiling::On => ("on", 0, None),
            Profiling::Off => ("off", 0, None),
            Profiling::Reset => ("reset", 0, None),
            Profiling::Report { request, order } => ("report", request, order),
        };
        self.queue(worker, |to| {
            to.tuple(4);
            to.int(to_worker::PROFILE);
            to.text(word);
            number(to, request);
            match order {
                Some(order) => to.text(order),
                None => to.none(),
            }
        });
    }

    fn kill(&mut self, worker: WorkerId) {
        self.kill_process(worker.0);
        self.late.retain(|(from, _)| *from != worker);
        self.remove(worker.0);
    }

    fn can_forbid(&self, what: Forbidden) -> Result<(), String> {
        confinement::is_available(what)
    }

    fn usage(&self, worker: WorkerId) -> Option<Usage> {
        usage::usage(self.processes.get(&worker.0)?.pid?)
    }

    fn private_bytes(&self, worker: WorkerId) -> Option<u64> {
        usage::private_bytes(self.processes.get(&worker.0)?.pid?)
    }

    /// Zygotes count, too; the pid says nothing here.
    fn usage_total(&self) -> Usage {
        let zygotes = self
            .homes
            .iter()
            .filter_map(|home| home.zygote.as_ref())
            .map(|(_, zygote)| zygote.pid());
        let processes = self.processes.values().filter_map(|process| process.pid);
        zygotes.chain(processes).filter_map(usage::usage).fold(Usage::default(), |total, one| {
            Usage {
                pid: 0,
                rss_bytes: total.rss_bytes + one.rss_bytes,
                cpu_us: total.cpu_us + one.cpu_us,
            }
        })
    }
}

fn limit(to: &mut Writer<'_>, limit: Option<u64>) {
    match limit {
        Some(number) => to.int(i64::try_from(number).unwrap_or(i64::MAX)),
        None => to.none(),
    }
}

fn number(to: &mut Writer<'_>, number: u64) {
    to.int(i64::try_from(number).expect("numbers are counted up from one"));
}

/// The records, then whether Python has to revive some of them: that is known only afterwards.
fn batch(to: &mut Writer<'_>, fill: &mut dyn FnMut(&mut dyn RecordSink)) {
    let mut records = Records::open(to);
    fill(&mut records);
    records.close();
    let marked = to.marked;
    to.bool(marked);
}

fn answer(to: &mut Writer<'_>, token: Token, success: bool, value: impl FnOnce(&mut Writer<'_>)) {
    to.tuple(5);
    to.int(to_worker::ANSWER);
    number(to, token.0);
    to.bool(success);
    value(to);
    let marked = to.marked;
    to.bool(marked);
}
