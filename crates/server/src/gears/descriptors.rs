//! Descriptors of workers, for the loop's poll.

use std::io;

use mio::unix::SourceFd;
use mio::{Registry, Token};
use worker::Change;

use crate::state::State;

/// Tells the poll which descriptors of workers came, changed or went.
pub(crate) fn watch(state: &mut State, registry: &Registry, first: usize) -> io::Result<()> {
    let Some(machine) = &mut state.gears.machine else { return Ok(()) };
    for change in machine.pool.take_changes() {
        match change {
            Change::Watch { fd, token, interest } => {
                registry.register(
                    &mut SourceFd(&fd),
                    Token(first + token as usize),
                    mio_interest(interest),
                )?;
            }
            Change::Modify { fd, token, interest } => {
                registry.reregister(
                    &mut SourceFd(&fd),
                    Token(first + token as usize),
                    mio_interest(interest),
                )?;
            }
            Change::Forget { fd, .. } => {
                // It was registered, and closing it would end that as well.
                let _ = registry.deregister(&mut SourceFd(&std::os::fd::AsRawFd::as_raw_fd(&fd)));
            }
        }
    }
    Ok(())
}

fn mio_interest(interest: worker::Interest) -> mio::Interest {
    match interest {
        worker::Interest::Read => mio::Interest::READABLE,
        worker::Interest::ReadWrite => mio::Interest::READABLE | mio::Interest::WRITABLE,
    }
}
