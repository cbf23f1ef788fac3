//! How bytes get to a worker and back. Today a Unix stream; a ring in shared memory would stand beside it.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A byte stream that never blocks.
pub(crate) trait Transport {
    /// `Ok(0)` is the end.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// What an event loop watches.
    fn fd(&self) -> BorrowedFd<'_>;
    /// Gives the descriptor away, so that whoever watches it can stop before it is closed.
    fn into_fd(self) -> OwnedFd;
}

pub(crate) struct Socket(UnixStream);

impl Socket {
    /// Our end, and the worker's.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Socket(ours), theirs.into()))
    }
}

impl Transport for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn into_fd(self) -> OwnedFd {
        self.0.into()
    }
}
