//! Which core does what: a generator that shares the server's core measures itself.

use std::io;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

/// Server and client on cores of their own.
#[derive(Clone, Copy)]
pub(super) struct Apart {
    pub(super) server: usize,
    client: usize,
}

impl Apart {
    /// `None` where there is one core only, or no taskset.
    pub(super) fn here() -> Option<Apart> {
        let cores = available_parallelism().map_or(1, usize::from);
        let has_taskset = Command::new("taskset")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        (cores > 1 && has_taskset).then_some(Apart { server: 0, client: 1 })
    }

    /// Holds the calling thread on the client's core as long as it lives.
    pub(super) fn hold_client(self) -> io::Result<()> {
        // "PID/task/TID": the standard library does not tell a thread's number.
        let thread = std::fs::read_link("/proc/thread-self")?;
        let thread = thread.file_name().ok_or_else(|| io::Error::other("no thread in /proc"))?;
        let status = Command::new("taskset")
            .args(["--cpu-list", "--pid", &self.client.to_string()])
            .arg(thread)
            .stdout(Stdio::null())
            .status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("taskset failed")) }
    }
}
