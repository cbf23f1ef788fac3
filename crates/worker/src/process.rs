//! One worker process as the pool sees it: its stream, what it prints, and how it ended.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use functions::host::Level;
use functions::worker::{ExitReason, FromWorker};

use crate::frame::{Inbox, Outbox};
use crate::log_lines::LogLines;
use crate::marshal;
use crate::message::{self, Unexpected};
use crate::transport::{Socket, Transport};

pub(crate) struct Process {
    pub(crate) interpreter: usize,
    /// A session runs in it; before that it is warm and nobody knows its number.
    pub(crate) taken: bool,
    pub(crate) pid: Option<u32>,
    /// It broke the protocol: nothing it says counts any more, and this is why it will have ended.
    pub(crate) broken: Option<String>,
    /// The last write did not take everything: wait until the socket can be written.
    pub(crate) blocked: bool,
    pub(crate) outbox: Outbox,
    pub(crate) lines: LogLines,
    inbox: Inbox,
    stream: Option<Socket>,
    output: Option<PipeReader>,
}

/// How far a reading went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Drained,
    /// There may be more: the turn's share is used up.
    More,
    Ended,
    Broken(String),
}

/// What one process may deliver in one go before others are served.
const TURN_BYTES_MAX: usize = 8 * 1024 * 1024;

impl Process {
    pub(crate) fn new(interpreter: usize, stream: Socket, output: PipeReader) -> Self {
        Process {
            interpreter,
            taken: false,
            pid: None,
            broken: None,
            blocked: false,
            outbox: Outbox::default(),
            lines: LogLines::default(),
            inbox: Inbox::default(),
            stream: Some(stream),
            output: Some(output),
        }
    }

    pub(crate) fn stream_fd(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(Transport::fd)
    }

    pub(crate) fn output_fd(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    pub(crate) fn take_stream(&mut self) -> Option<OwnedFd> {
        self.stream.take().map(Transport::into_fd)
    }

    pub(crate) fn take_output(&mut self) -> Option<OwnedFd> {
        self.output.take().map(OwnedFd::from)
    }

    /// Writes what is queued; what does not fit stays.
    pub(crate) fn write(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        self.blocked = false;
        loop {
            let bytes = self.outbox.ready();
            if bytes.is_empty() {
                return;
            }
            match stream.write(bytes) {
                Ok(written) => self.outbox.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return;
                }
                // The other end is closed: its exit will be noticed, and nobody is left to read this.
                Err(_) => {
                    let left = self.outbox.len();
                    self.outbox.advance(left);
                    return;
                }
            }
        }
    }

    /// Reads what is there and yields the messages of whole frames.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        yield_: &mut dyn FnMut(FromWorker),
    ) -> Reading {
        let Some(stream) = &mut self.stream else { return Reading::Ended };
        let mut share = 0;
        while share < TURN_BYTES_MAX {
            match stream.read(scratch) {
                Ok(0) => return Reading::Ended,
                Ok(length) => {
                    share += length;
                    self.inbox.extend(&scratch[..length]);
                    if let Err(Unexpected(why)) = deliver(&mut self.inbox, &mut self.lines, yield_)
                    {
                        return Reading::Broken(why);
                    }
                    // A short read has emptied the socket: asking again would only cost a system call.
                    if length < scratch.len() {
                        return Reading::Drained;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::Drained,
                Err(_) => return Reading::Ended,
            }
        }
        Reading::More
    }

    /// Reads what it printed. Bounded, so that a process that prints faster than we read cannot hold the turn.
    pub(crate) fn read_output(&mut self, yield_: &mut dyn FnMut(FromWorker)) -> Reading {
        let mut bytes = [0; 16 * 1024];
        let Some(output) = &mut self.output else { return Reading::Ended };
        for _ in 0..64 {
            match output.read(&mut bytes) {
                Ok(0) => return Reading::Ended,
                Ok(length) => {
                    self.lines.extend(&bytes[..length], &mut |line| yield_(printed(line)));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::Drained,
                Err(_) => return Reading::Ended,
            }
        }
        Reading::More
    }

    /// Everything it left behind, when its end is known.
    pub(crate) fn drain(&mut self, scratch: &mut [u8], yield_: &mut dyn FnMut(FromWorker)) {
        if self.broken.is_none() {
            loop {
                match self.read(scratch, yield_) {
                    Reading::More => {}
                    Reading::Broken(why) => {
                        self.broken = Some(why);
                        break;
                    }
                    Reading::Drained | Reading::Ended => break,
                }
            }
        }
        self.read_output(yield_);
        self.lines.finish(&mut |line| yield_(printed(line)));
    }

    pub(crate) fn exit_reason(&mut self, otherwise: ExitReason) -> ExitReason {
        self.broken.take().map_or(otherwise, ExitReason::Protocol)
    }
}

pub(crate) fn printed(message: String) -> FromWorker {
    FromWorker::Log { level: Level::Notice, message }
}

fn deliver(
    inbox: &mut Inbox,
    lines: &mut LogLines,
    yield_: &mut dyn FnMut(FromWorker),
) -> Result<(), Unexpected> {
    loop {
        let frame = inbox
            .next_frame()
            .map_err(|long| Unexpected(format!("a frame of {} bytes", long.0)))?;
        let Some(body) = frame else { return Ok(()) };
        let body = marshal::read(body).map_err(|malformed| Unexpected(malformed.to_string()))?;
        for message in message::messages(body)? {
            match message::from_worker(message)? {
                // A function that logs for ever must not fill the disk any more than one that prints.
                FromWorker::Log { message, .. } if !lines.admits(message.len()) => {}
                message => yield_(message),
            }
        }
    }
}
