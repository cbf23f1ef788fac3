use std::io;

use crate::bench::connection::{Connection, Reply};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Async,
    Sync,
}

pub(super) const MODES: [Mode; 2] = [Mode::Async, Mode::Sync];

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Mode::Async => "async",
            Mode::Sync => "sync",
        }
    }

    /// Of a pair that has one for each.
    pub(super) fn of<T>(self, asynchronous: T, synchronous: T) -> T {
        match self {
            Mode::Async => asynchronous,
            Mode::Sync => synchronous,
        }
    }
}

/// Registers what `script` says. `false`: the server says that it does not have the mode.
pub(super) fn register(connection: &mut Connection, script: &str) -> io::Result<bool> {
    match connection.call(&["RG.PYEXECUTE", script]) {
        Ok(_) => Ok(true),
        Err(error) if error.to_string().contains("is not supported by this server") => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn unregister_all(connection: &mut Connection) -> io::Result<()> {
    let Reply::Array(registrations) = connection.call(&["RG.DUMPREGISTRATIONS"])? else {
        return Err(io::Error::other("RG.DUMPREGISTRATIONS did not answer with an array"));
    };
    for registration in registrations {
        // Its first pair is its identifier.
        if let Reply::Array(pairs) = registration
            && let Some(Reply::Text(identifier)) = pairs.get(1)
        {
            connection.call(&["RG.UNREGISTER", identifier])?;
        }
    }
    Ok(())
}
