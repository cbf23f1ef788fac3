//! What other threads of the process may ask of a running server: to end, and to serve a connection without a listener.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A byte that says "look at the connections handed over"; any other means "end", as a signal's does.
const CONNECT: u8 = b'c';

/// For any thread, and for signal handlers' pipes.
#[derive(Debug)]
pub struct Handle {
    bell: UnixStream,
    connections: Sender<UnixStream>,
}

impl Handle {
    /// Ends the server.
    pub fn stop(&self) -> io::Result<()> {
        (&self.bell).write_all(b"x")
    }

    /// A connection to the server inside this process: no address, no port, no listener.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        self.connections
            .send(theirs)
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        (&self.bell).write_all(&[CONNECT])?;
        Ok(ours)
    }
}

/// The server's end of its handles.
#[derive(Debug)]
pub(crate) struct Door {
    bell: UnixStream,
    handle: Handle,
    connections: Receiver<UnixStream>,
}

/// What was asked since the last look.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) stop: bool,
    pub(crate) connections: Vec<UnixStream>,
}

impl Door {
    /// The door, and the descriptor that becomes readable when somebody asks.
    pub(crate) fn new() -> io::Result<(Door, UnixStream)> {
        let (bell, ringer) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let (sender, connections) = channel();
        let watched = bell.try_clone()?;
        Ok((
            Door { bell, handle: Handle { bell: ringer, connections: sender }, connections },
            watched,
        ))
    }

    pub(crate) fn handle(&self) -> io::Result<Handle> {
        Ok(Handle {
            bell: self.handle.bell.try_clone()?,
            connections: self.handle.connections.clone(),
        })
    }

    /// A descriptor for a signal handler: any byte but [`CONNECT`] ends the server.
    pub(crate) fn signal_pipe(&self) -> io::Result<UnixStream> {
        self.handle.bell.try_clone()
    }

    pub(crate) fn look(&mut self) -> Asked {
        let mut asked = Asked::default();
        let mut bytes = [0; 256];
        // The descriptor is not blocking: an error means that there is nothing more.
        while let Ok(count @ 1..) = io::Read::read(&mut self.bell, &mut bytes) {
            asked.stop |= bytes[..count].iter().any(|byte| *byte != CONNECT);
        }
        asked.connections = self.connections.try_iter().collect();
        asked
    }
}
