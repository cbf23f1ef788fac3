//! One interpreter, started once and imported warm, that forks a worker whenever it is asked to.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::log_lines::LogLines;
use crate::marshal::{Names, Writer};
use crate::{runtime, sys};

pub(crate) struct Zygote {
    child: Child,
    control: OwnedFd,
    output: Option<PipeReader>,
    pub(crate) lines: LogLines,
}

/// How long the zygote may take to end on request.
const END_PATIENCE_MS: u32 = 30;

/// What a zygote tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Started {
        process: u64,
        pid: u32,
    },
    /// `status` as from `waitpid`.
    Exited {
        process: u64,
        status: i32,
    },
}

impl Zygote {
    pub(crate) fn start(interpreter: &OsStr) -> io::Result<Self> {
        let (control, theirs) = sys::packet_pair()?;
        let (output, write_end) = io::pipe()?;
        sys::set_nonblocking(output.as_fd())?;
        // Isolated: neither the environment nor the working directory decides what `import` finds; installed
        // packages stay importable. UTF-8 whatever the locale says.
        let child = Command::new(interpreter)
            .args(["-I", "-X", "utf8", "-c", runtime::STUB, "mainspring-workers"])
            .stdin(Stdio::from(theirs))
            .stdout(write_end.try_clone()?)
            .stderr(write_end)
            .spawn()?;
        let zygote = Zygote { child, control, output: Some(output), lines: LogLines::default() };
        // These fail when it has ended already. The end of the control socket tells so, and its output why.
        let _ = sys::send_packet(zygote.control.as_fd(), runtime::BOOT.as_bytes(), &[]);
        let _ = sys::send_packet(zygote.control.as_fd(), &modules(), &[]);
        Ok(zygote)
    }

    /// Asks for a process. `fds`: the stream it talks over, where it prints to, and its mailbox, if it has one.
    pub(crate) fn fork(&self, process: u64, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        sys::send_packet(self.control.as_fd(), format!("fork {process}").as_bytes(), fds)
    }

    /// The zygote has not reaped the process yet, so the number cannot have gone to a stranger.
    pub(crate) fn kill(&self, process: u64) -> io::Result<()> {
        sys::send_packet(self.control.as_fd(), format!("kill {process}").as_bytes(), &[])
    }

    /// The next notice; `Ok(None)` when the zygote is gone, `WouldBlock` when there is none now.
    pub(crate) fn notice(&self) -> io::Result<Option<Notice>> {
        let mut packet = [0; 128];
        let length = match sys::receive_packet(self.control.as_fd(), &mut packet) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            other => other?,
        };
        if length == 0 {
            return Ok(None);
        }
        parse(&packet[..length])
            .map(Some)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn control_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    pub(crate) fn output_fd(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Reads what it prints; gives the descriptor up at the end.
    pub(crate) fn read_output(&mut self, line: &mut dyn FnMut(String)) -> Option<OwnedFd> {
        let mut bytes = [0; 4096];
        loop {
            match self.output.as_mut()?.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => self.lines.extend(&bytes[..length], line),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => break,
            }
        }
        self.lines.finish(line);
        self.output.take().map(OwnedFd::from)
    }

    /// Ends the zygote, and with it every process it forked and whatever those have started.
    pub(crate) fn end(mut self) -> (OwnedFd, Option<OwnedFd>) {
        // It ends its workers' groups first, which takes it a moment; should it not, the parent-death signal still ends
        // the workers themselves. All of this fails only when the process is gone already.
        let _ = sys::terminate(&self.child);
        for _ in 0..END_PATIENCE_MS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.control, self.output.map(OwnedFd::from))
    }
}

fn modules() -> Vec<u8> {
    let (mut packet, mut names) = (Vec::new(), Names::default());
    let mut to = Writer::new(&mut packet, &mut names);
    to.open_dict();
    for (name, source) in runtime::MODULES {
        to.text(name);
        to.text(source);
    }
    to.close_dict();
    packet
}

fn parse(packet: &[u8]) -> Option<Notice> {
    let mut words = str::from_utf8(packet).ok()?.split(' ');
    let verb = words.next()?;
    let process = words.next()?.parse().ok()?;
    let number = words.next()?;
    Some(match verb {
        "started" => Notice::Started { process, pid: number.parse().ok()? },
        "exited" => Notice::Exited { process, status: number.parse().ok()? },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_the_process_and_what_became_of_it() {
        assert_eq!(parse(b"started 7 4711"), Some(Notice::Started { process: 7, pid: 4711 }));
        assert_eq!(parse(b"exited 7 139"), Some(Notice::Exited { process: 7, status: 139 }));
        assert_eq!(parse(b"exited 7"), None);
        assert_eq!(parse(b"\xff"), None);
    }
}
