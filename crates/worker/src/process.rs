//! One worker process as the pool sees it: its stream, what it prints, and how it ended.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use functions::host::Level;
use functions::plan::Argument;
use functions::worker::{ExitReason, FromWorker, Token};

use crate::frame::{Inbox, Outbox};
use crate::log_lines::LogLines;
use crate::mailbox::{Delivery, Mailbox};
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
    pub(crate) mailbox: Option<Mailbox>,
    /// A call that is to be refused: there is text in it that UTF-8 does not know.
    pub(crate) refused: Option<Token>,
    /// Frames that went, or will go, through the stream.
    streamed: u32,
    inbox: Inbox,
    /// Scratch for what lay in the mailbox.
    frame: Vec<u8>,
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
    pub(crate) fn new(
        interpreter: usize,
        stream: Socket,
        output: PipeReader,
        mailbox: Option<Mailbox>,
    ) -> Self {
        Process {
            interpreter,
            taken: false,
            pid: None,
            broken: None,
            blocked: false,
            outbox: Outbox::default(),
            lines: LogLines::default(),
            mailbox,
            refused: None,
            streamed: 0,
            inbox: Inbox::default(),
            frame: Vec::new(),
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
        self.deliver();
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

    /// Puts what is queued into the mailbox, if the worker is looking for it there.
    fn deliver(&mut self) {
        let Some(mailbox) = &mut self.mailbox else { return };
        let frame = self.outbox.single();
        let delivery =
            frame.map_or(Delivery::Refused, |frame| mailbox.deliver(frame, self.streamed));
        let frames = self.outbox.count_new();
        if delivery == Delivery::Refused {
            self.streamed = self.streamed.wrapping_add(frames);
            return;
        }
        let length = self.outbox.len();
        self.outbox.advance(length);
        if delivery == Delivery::MayBeOverlooked {
            self.outbox.message(message::look);
            self.streamed = self.streamed.wrapping_add(self.outbox.count_new());
        }
    }

    /// Reads what is there and yields the messages of whole frames.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        yield_: &mut dyn FnMut(FromWorker),
    ) -> Reading {
        let mut share = 0;
        while share < TURN_BYTES_MAX {
            let Some(stream) = &mut self.stream else { return Reading::Ended };
            match stream.read(scratch) {
                Ok(0) => return Reading::Ended,
                Ok(length) => {
                    share += length;
                    self.inbox.extend(&scratch[..length]);
                    // What the worker put into the mailbox before it wrote this comes first.
                    let delivered = self.look(yield_).and_then(|()| self.deliver_frames(yield_));
                    if let Err(Unexpected(why)) = delivered {
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

    /// Yields what lies in the mailbox, if there is something new.
    pub(crate) fn look(&mut self, yield_: &mut dyn FnMut(FromWorker)) -> Result<(), Unexpected> {
        let Some(mailbox) = &mut self.mailbox else { return Ok(()) };
        if !mailbox.has_mail() || self.broken.is_some() {
            return Ok(());
        }
        let mut frame = std::mem::take(&mut self.frame);
        let found = mailbox.take(&mut frame).and_then(|_| {
            let (value, is_faithful) = read(&frame)?;
            // A call is the last message of its frame.
            let mut call = None;
            messages(value, &mut self.lines, &mut |message| {
                call = message.token();
                if is_faithful || call.is_none() {
                    yield_(message);
                }
            })?;
            mailbox.taken(call);
            if !is_faithful {
                self.refused = call;
            }
            Ok(())
        });
        self.frame = frame;
        found
    }

    fn deliver_frames(&mut self, yield_: &mut dyn FnMut(FromWorker)) -> Result<(), Unexpected> {
        loop {
            let frame = self
                .inbox
                .next_frame()
                .map_err(|long| Unexpected(format!("a frame of {} bytes", long.0)))?;
            let Some(frame) = frame else { return Ok(()) };
            if let Some(mailbox) = &mut self.mailbox {
                mailbox.count_frame();
            }
            messages(read(frame)?.0, &mut self.lines, yield_)?;
        }
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
            // Nothing in the stream comes after what lies here.
            if let Err(Unexpected(why)) = self.look(yield_) {
                self.broken = Some(why);
            }
        }
        self.read_output(yield_);
        self.lines.finish(&mut |line| yield_(printed(line)));
    }

    pub(crate) fn exit_reason(&mut self, otherwise: ExitReason) -> ExitReason {
        self.broken.take().map_or(otherwise, ExitReason::Protocol)
    }
}

/// A printed line. `logging` marks its lines with their level: python/mainspring_worker/log_levels.py.
pub(crate) fn printed(mut message: String) -> FromWorker {
    let level = match message.as_bytes() {
        [MARK, b'w', ..] => Level::Warning,
        [MARK, b'n', ..] => Level::Notice,
        [MARK, b'v', ..] => Level::Verbose,
        [MARK, b'd', ..] => Level::Debug,
        _ => return FromWorker::Log { level: Level::Notice, message },
    };
    message.drain(..2);
    FromWorker::Log { level, message }
}

const MARK: u8 = 1;

/// A frame's value, and whether all text in it is what it was in Python.
fn read(frame: &[u8]) -> Result<(Argument, bool), Unexpected> {
    marshal::read_and_judge(frame).map_err(|malformed| Unexpected(malformed.to_string()))
}

fn messages(
    frame: Argument,
    lines: &mut LogLines,
    yield_: &mut dyn FnMut(FromWorker),
) -> Result<(), Unexpected> {
    for message in message::messages(frame)? {
        match message::from_worker(message)? {
            // A function that logs for ever must not fill the disk any more than one that prints.
            Some(FromWorker::Log { message, .. }) if !lines.admits(message.len()) => {}
            Some(message) => yield_(message),
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_logging_has_its_level_and_any_other_is_a_notice() {
        for (line, level, text) in [
            ("\u{1}wcareful", Level::Warning, "careful"),
            ("\u{1}ddetail", Level::Debug, "detail"),
            ("\u{1}xother", Level::Notice, "\u{1}xother"),
            ("plain", Level::Notice, "plain"),
        ] {
            let FromWorker::Log { level: of, message } = printed(line.into()) else { panic!() };
            assert_eq!((of, &*message), (level, text));
        }
    }
}
