//! A socket with its input: bytes in, requests out.

use std::io::{self, Read, Write};

use mio::net::{TcpStream, UnixStream};
use resp::{Decoder, Limits, ProtocolError, Span};

/// Where input begins to be read to; more is taken when one argument needs it.
const INPUT_BYTES: usize = 16 << 10;
/// A pipeline is executed in pieces of about this size, so that one client cannot keep the others waiting.
const READ_BYTES_MAX: usize = 256 << 10;

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What a read ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// All there was: the poll will tell when there is more.
    Drained,
    /// There may be more; nobody will tell.
    More,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    /// Bytes up to `filled` are input; behind, room for more.
    input: Vec<u8>,
    filled: usize,
    decoder: Decoder,
    spans: Vec<Span>,
    /// Number of arguments of each decoded request, in order; `executed` of them are done.
    requests: Vec<u32>,
    executed: usize,
    executed_spans: usize,
    /// The socket may have more to read.
    pub(crate) is_readable: bool,
    /// The last write could not be finished; the poll tells when to go on.
    pub(crate) awaits_writable: bool,
    /// What followed was no request.
    pub(crate) error: Option<ProtocolError>,
    /// The poll has seen the end of the peer's bytes and will not tell again: it must be read.
    pub(crate) end_is_near: bool,
    /// The peer will send no more.
    pub(crate) at_end: bool,
    /// Stands in the turn's list of connections with requests.
    pub(crate) is_listed: bool,
}

impl Connection {
    pub(crate) fn new(socket: Socket) -> Self {
        Connection {
            socket,
            input: Vec::new(),
            filled: 0,
            decoder: Decoder::default(),
            spans: Vec::new(),
            requests: Vec::new(),
            executed: 0,
            executed_spans: 0,
            is_readable: false,
            awaits_writable: false,
            error: None,
            end_is_near: false,
            at_end: false,
            is_listed: false,
        }
    }

    /// Reads what is there, up to a bound.
    pub(crate) fn read(&mut self) -> (usize, ReadEnd) {
        let mut total = 0;
        loop {
            let wanted = self.decoder.wanted(self.filled);
            let room = INPUT_BYTES.max(wanted.min(READ_BYTES_MAX));
            if self.input.is_empty() {
                // Zeroed by the allocator, which often has pages that are so already.
                self.input = vec![0; room];
            } else if self.input.len() - self.filled < room.min(INPUT_BYTES) / 2 {
                self.input.resize(self.filled + room, 0);
            }
            let free = &mut self.input[self.filled..];
            let free_len = free.len();
            let result = match &mut self.socket {
                Socket::Tcp(stream) => stream.read(free),
                Socket::Unix(stream) => stream.read(free),
            };
            match result {
                Ok(0) => return (total, ReadEnd::Closed),
                Ok(count) => {
                    self.filled += count;
                    total += count;
                    if count < free_len && !self.end_is_near {
                        return (total, ReadEnd::Drained);
                    }
                    if total >= READ_BYTES_MAX {
                        return (total, ReadEnd::More);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (total, ReadEnd::Drained);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (total, ReadEnd::Closed),
            }
        }
    }

    /// Reads requests out of the input until it holds no whole one.
    #[inline]
    pub(crate) fn decode(&mut self, limits: &Limits) {
        if self.error.is_some() {
            return;
        }
        loop {
            match self.decoder.next(&mut self.input[..self.filled], &mut self.spans, limits) {
                Ok(Some(count)) => self.requests.push(count as u32),
                Ok(None) => return,
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            }
        }
    }

    /// Decoded requests that were not executed yet.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.requests.len() - self.executed
    }

    /// A request, or whatever else ends what it has sent.
    pub(crate) fn has_something(&self) -> bool {
        self.pending() > 0 || self.error.is_some() || self.at_end
    }

    /// The spans of the next `count` requests, without taking them: for prefetching.
    pub(crate) fn upcoming(&self, count: usize) -> impl Iterator<Item = &[Span]> {
        let mut at = self.executed_spans;
        self.requests[self.executed..].iter().take(count).map(move |arguments| {
            let request = &self.spans[at..][..*arguments as usize];
            at += *arguments as usize;
            request
        })
    }

    /// Takes the next request: its arguments are lent as slices of the input.
    #[inline]
    pub(crate) fn next_request(&mut self) -> Option<(&[u8], &[Span])> {
        let count = *self.requests.get(self.executed)? as usize;
        let start = self.executed_spans;
        self.executed += 1;
        self.executed_spans += count;
        Some((&self.input[..self.filled], &self.spans[start..start + count]))
    }

    pub(crate) fn input(&self) -> &[u8] {
        &self.input[..self.filled]
    }

    /// Drops what was executed from the input's front.
    pub(crate) fn compact(&mut self) {
        if self.pending() > 0 {
            return;
        }
        let consumed = self.decoder.consumed();
        self.requests.clear();
        self.spans.drain(..self.executed_spans);
        (self.executed, self.executed_spans) = (0, 0);
        if consumed == 0 {
            return;
        }
        self.input.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        self.decoder.drained(consumed, &mut self.spans);
    }

    /// Bytes that wait to be understood or executed.
    pub(crate) fn buffered(&self) -> usize {
        self.filled
    }

    /// Gives the memory of an idle connection back.
    pub(crate) fn shrink(&mut self) {
        if self.filled == 0 {
            self.input = Vec::new();
            self.spans = Vec::new();
            self.requests = Vec::new();
        }
    }

    /// Writes as much as the socket takes; how much that was.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let result = match &mut self.socket {
                Socket::Tcp(stream) => stream.write(&bytes[written..]),
                Socket::Unix(stream) => stream.write(&bytes[written..]),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}
