//! Memory shared with one worker, beside its stream: for what is short while both sides are awake.
//!
//! A thread of the worker puts one frame into the mailbox; the server, while it attends, finds it without a system call.
//! Where the frame ends with a call, the thread looks for the answer beside it for a short while. In the other direction
//! one frame is delivered to a worker that watches. Whoever loses patience falls back on the stream. A frame is put in only
//! when all those of the stream before it have been taken, and each side looks here before it takes one from the stream:
//! so frames keep their order. What is in this memory the worker can change at any moment: whatever is read here is
//! copied first and checked afterwards, and each word is read once.
//!
//! Where both sides write one word and read another (the server: "I stop attending" and the request; the worker: "I
//! wait at the stream" and the answer), a fence between the two makes sure that at least one of them sees the other.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use functions::worker::Token;

use crate::message::Unexpected;
use crate::sys::SharedMemory;

/// Words, each on a cache line of its own with those that the same side writes; `mailbox.py` has the same.
mod word {
    /// By the server: it looks into the mailbox by itself.
    pub(super) const ATTENDED: usize = 0;
    /// By the worker: the number of its last frame, the frame's length, and whether it looks here for an answer.
    pub(super) const REQUEST: usize = 16;
    pub(super) const REQUEST_BYTES: usize = 17;
    pub(super) const REQUEST_ASKS: usize = 18;
    /// By the server: the last frame that it is done with, what became of it, and the length of the answer.
    pub(super) const DONE: usize = 32;
    pub(super) const OUTCOME: usize = 33;
    pub(super) const ANSWER_BYTES: usize = 34;
    /// By the worker: it waits at the stream for the answer to this frame.
    pub(super) const GIVEN_UP: usize = 48;
    /// By the server: how many frames of the stream it has taken.
    pub(super) const TAKEN: usize = 64;
    /// By the server: the number of the last frame it has delivered, and the frame's length.
    pub(super) const DELIVERED: usize = 80;
    pub(super) const DELIVERED_BYTES: usize = 81;
    /// By the worker: it looks for such a frame.
    pub(super) const WATCHED: usize = 96;
    /// By the worker: the last that it has collected, and how many frames of the stream it has taken.
    pub(super) const COLLECTED: usize = 112;
    pub(super) const RECEIVED: usize = 113;
}

const REQUEST_AT: usize = 1024;
const REQUEST_BYTES_MAX: usize = 32 * 1024;
const ANSWER_AT: usize = REQUEST_AT + REQUEST_BYTES_MAX;
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const DELIVERY_AT: usize = ANSWER_AT + ANSWER_BYTES_MAX;
const DELIVERY_BYTES_MAX: usize = 32 * 1024;
const BYTES: usize = DELIVERY_AT + DELIVERY_BYTES_MAX;

/// What became of a frame.
mod outcome {
    /// The answer is here.
    pub(super) const VALUE: u32 = 0;
    pub(super) const ERROR: u32 = 1;
    /// The answer, if any, comes through the stream.
    pub(super) const ELSEWHERE: u32 = 2;
    /// Added to the first: Python has to revive some of the answer.
    pub(super) const MARKED: u32 = 4;
}

pub(crate) struct Mailbox {
    memory: SharedMemory,
    /// The last frame that was taken out.
    seen: u32,
    /// Whether it is to be answered here.
    asks: bool,
    /// The call in it, while it has no answer.
    call: Option<Token>,
    attended: bool,
    /// Turns of sleep since the last frame.
    unused: u32,
    taken: u32,
    delivered: u32,
}

/// What became of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Refused,
    Done,
    /// The worker may have fallen asleep before it saw it: something in the stream makes it look.
    MayBeOverlooked,
}

impl Mailbox {
    /// And the descriptor by which the worker maps it.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (memory, fd) = SharedMemory::new(BYTES)?;
        let mailbox = Mailbox {
            memory,
            seen: 0,
            asks: false,
            call: None,
            attended: false,
            unused: 0,
            taken: 0,
            delivered: 0,
        };
        Ok((mailbox, fd))
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        &self.memory.words()[at]
    }

    pub(crate) fn is_attended(&self) -> bool {
        self.attended
    }

    /// There is reason to hope for frames.
    pub(crate) fn expect(&mut self) {
        self.unused = 0;
    }

    pub(crate) fn attend(&mut self) {
        self.attended = true;
        self.word(word::ATTENDED).store(1, Ordering::Release);
    }

    /// From now on the worker uses the stream; `false` if something has come before it knew.
    pub(crate) fn leave(&mut self) -> bool {
        self.attended = false;
        self.word(word::ATTENDED).store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !self.has_mail()
    }

    /// The server slept meanwhile: how often that has happened since there was a frame.
    pub(crate) fn count_unused(&mut self) -> u32 {
        self.unused += 1;
        self.unused
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.word(word::REQUEST).load(Ordering::Acquire) != self.seen
    }

    /// Takes the frame out, if there is a new one; whoever takes it must close it with [`Mailbox::taken`].
    pub(crate) fn take(&mut self, into: &mut Vec<u8>) -> Result<bool, Unexpected> {
        let number = self.word(word::REQUEST).load(Ordering::Acquire);
        if number == self.seen {
            return Ok(false);
        }
        let length = self.word(word::REQUEST_BYTES).load(Ordering::Relaxed) as usize;
        if length > REQUEST_BYTES_MAX {
            return Err(Unexpected(format!("a frame of {length} bytes in the mailbox")));
        }
        self.asks = self.word(word::REQUEST_ASKS).load(Ordering::Relaxed) != 0;
        self.seen = number;
        self.unused = 0;
        self.memory.read(REQUEST_AT, length, into);
        Ok(true)
    }

    /// The frame's messages are known, and the last of them wants this answer, if any.
    pub(crate) fn taken(&mut self, call: Option<Token>) {
        self.call = call.filter(|_| self.asks);
        if self.call.is_none() {
            self.close(outcome::ELSEWHERE, 0);
        }
    }

    pub(crate) fn is_asked(&self, token: Token) -> bool {
        self.call == Some(token)
    }

    /// Answers the call; `false` if the answer has to go (also) through the stream.
    pub(crate) fn answer(&mut self, success: bool, marked: bool, value: &[u8]) -> bool {
        self.call = None;
        if value.len() > ANSWER_BYTES_MAX {
            self.close(outcome::ELSEWHERE, 0);
            return false;
        }
        self.memory.write(ANSWER_AT, value);
        let kind = if success { outcome::VALUE } else { outcome::ERROR };
        let marked = if marked { outcome::MARKED } else { 0 };
        self.close(kind | marked, value.len() as u32);
        fence(Ordering::SeqCst);
        self.word(word::GIVEN_UP).load(Ordering::Relaxed) != self.seen
    }

    /// The answer, if one comes, will go through the stream: nobody needs to look for it here.
    pub(crate) fn send_elsewhere(&mut self) {
        if self.call.take().is_some() {
            self.close(outcome::ELSEWHERE, 0);
        }
    }

    fn close(&self, outcome: u32, length: u32) {
        self.word(word::OUTCOME).store(outcome, Ordering::Relaxed);
        self.word(word::ANSWER_BYTES).store(length, Ordering::Relaxed);
        self.word(word::DONE).store(self.seen, Ordering::Release);
    }

    /// A frame of the stream has been taken.
    pub(crate) fn count_frame(&mut self) {
        self.taken = self.taken.wrapping_add(1);
        self.word(word::TAKEN).store(self.taken, Ordering::Release);
    }
}

impl Mailbox {
    /// Delivers a frame to a worker that watches and has taken all of the stream, which are so many frames.
    pub(crate) fn deliver(&mut self, frame: &[u8], streamed: u32) -> Delivery {
        let load = |at| self.word(at).load(Ordering::Acquire);
        if frame.len() > DELIVERY_BYTES_MAX
            || load(word::WATCHED) == 0
            || load(word::COLLECTED) != self.delivered
            || load(word::RECEIVED) != streamed
        {
            return Delivery::Refused;
        }
        self.memory.write(DELIVERY_AT, frame);
        self.word(word::DELIVERED_BYTES).store(frame.len() as u32, Ordering::Relaxed);
        self.delivered = self.delivered.wrapping_add(1);
        self.word(word::DELIVERED).store(self.delivered, Ordering::Release);
        fence(Ordering::SeqCst);
        match self.word(word::WATCHED).load(Ordering::Relaxed) {
            0 => Delivery::MayBeOverlooked,
            _ => Delivery::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worker's side, as far as these tests need it.
    fn put(mailbox: &Mailbox, number: u32, frame: &[u8]) {
        mailbox.memory.write(REQUEST_AT, frame);
        mailbox.word(word::REQUEST_BYTES).store(frame.len() as u32, Ordering::Relaxed);
        mailbox.word(word::REQUEST_ASKS).store(u32::from(frame == b"call"), Ordering::Relaxed);
        mailbox.word(word::REQUEST).store(number, Ordering::Release);
    }

    fn done(mailbox: &Mailbox) -> (u32, u32) {
        let word = |at| mailbox.word(at).load(Ordering::Acquire);
        (word(word::DONE), word(word::OUTCOME))
    }

    fn with_call() -> Mailbox {
        let (mut mailbox, _fd) = Mailbox::new().unwrap();
        put(&mailbox, 1, b"call");
        assert!(mailbox.take(&mut Vec::new()).unwrap());
        mailbox.taken(Some(Token(7)));
        mailbox
    }

    #[test]
    fn a_frame_is_taken_once() {
        let (mut mailbox, _fd) = Mailbox::new().unwrap();
        let mut frame = Vec::new();
        assert!(!mailbox.has_mail());
        put(&mailbox, 1, b"a frame");
        assert!(mailbox.has_mail());
        assert!(mailbox.take(&mut frame).unwrap());
        assert_eq!(frame, b"a frame");
        assert!(!mailbox.take(&mut frame).unwrap());
        assert_eq!(done(&mailbox).0, 0);
        mailbox.taken(None);
        assert_eq!(done(&mailbox), (1, outcome::ELSEWHERE));
    }

    #[test]
    fn an_answer_lies_beside_its_call() {
        let mut mailbox = with_call();
        assert!(mailbox.is_asked(Token(7)) && !mailbox.is_asked(Token(8)));
        assert!(mailbox.answer(true, true, b"value"));
        assert_eq!(done(&mailbox), (1, outcome::VALUE | outcome::MARKED));
        let mut answer = Vec::new();
        mailbox.memory.read(ANSWER_AT, 5, &mut answer);
        assert_eq!(answer, b"value");
        assert!(!mailbox.is_asked(Token(7)));
    }

    #[test]
    fn who_waits_at_the_stream_gets_the_answer_there() {
        let mut mailbox = with_call();
        mailbox.word(word::GIVEN_UP).store(1, Ordering::Relaxed);
        assert!(!mailbox.answer(false, false, b"text"));
        assert_eq!(done(&mailbox), (1, outcome::ERROR));
    }

    #[test]
    fn what_is_too_long_goes_through_the_stream() {
        let mut mailbox = with_call();
        assert!(!mailbox.answer(true, false, &vec![0; ANSWER_BYTES_MAX + 1]));
        assert_eq!(done(&mailbox), (1, outcome::ELSEWHERE));
        put(&mailbox, 2, b"");
        mailbox.word(word::REQUEST_BYTES).store(u32::MAX, Ordering::Relaxed);
        assert!(mailbox.take(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_frame_is_delivered_to_a_worker_that_watches_and_is_behind_with_nothing() {
        let (mut mailbox, _fd) = Mailbox::new().unwrap();
        let set = |mailbox: &Mailbox, at, to| mailbox.word(at).store(to, Ordering::Release);
        assert_eq!(mailbox.deliver(b"frame", 0), Delivery::Refused);
        set(&mailbox, word::WATCHED, 1);
        assert_eq!(mailbox.deliver(b"frame", 1), Delivery::Refused);
        set(&mailbox, word::RECEIVED, 1);
        assert_eq!(mailbox.deliver(&vec![0; DELIVERY_BYTES_MAX + 1], 1), Delivery::Refused);
        assert_eq!(mailbox.deliver(b"frame", 1), Delivery::Done);
        assert_eq!(mailbox.deliver(b"next", 1), Delivery::Refused);
        set(&mailbox, word::COLLECTED, 1);
        assert_eq!(mailbox.deliver(b"next", 1), Delivery::Done);
    }

    #[test]
    fn a_call_without_an_answer_is_sent_elsewhere_once() {
        let mut mailbox = with_call();
        mailbox.send_elsewhere();
        assert_eq!(done(&mailbox), (1, outcome::ELSEWHERE));
        assert!(!mailbox.is_asked(Token(7)));
    }
}
