use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Failure, Result};

/// A server on a free port of this machine: this very program, started as anybody would start it.
///
/// It ends with its standard input, whose other end this process holds: so it ends with this process, however that ends.
pub(super) struct ServerChild {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
    log: Log,
}

/// The last lines that the server said.
type Log = Arc<Mutex<VecDeque<String>>>;

const LINES_KEPT: usize = 8;
const PATIENCE: Duration = Duration::from_secs(20);

impl ServerChild {
    pub(super) fn start(program: &Path, python: &str) -> Result<ServerChild> {
        let started = Instant::now();
        let mut child = Command::new(program)
            .args([
                "server",
                "--bind",
                "127.0.0.1",
                "--port",
                "0",
                "--save",
                "",
                "--stop-with-stdin",
            ])
            .args(["--python", python, "--dir"])
            .arg(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let log = Log::default();
        let (sender, ports) = channel();
        let kept = Arc::clone(&log);
        thread::spawn(move || read_log(BufReader::new(output), &kept, &sender));

        let mut server = ServerChild {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ready_after: PATIENCE,
            log,
        };
        let port = server.port(&ports)?;
        server.address.set_port(port);
        server.ready_after = started.elapsed();
        Ok(server)
    }

    fn port(&mut self, ports: &Receiver<u16>) -> Result<u16> {
        ports.recv_timeout(PATIENCE).map_err(|error| {
            let why = match error {
                RecvTimeoutError::Timeout => "the server does not become ready",
                RecvTimeoutError::Disconnected => "the server has ended before it was ready",
            };
            Failure::new(why).with_log(&self.last_lines())
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(super) fn last_lines(&self) -> Vec<String> {
        lock(&self.log).iter().cloned().collect()
    }

    /// Until somebody ends it: SHUTDOWN, a signal, or the end of this process.
    pub(super) fn wait(&mut self) -> Result<()> {
        // Not `Child::wait`, which closes the standard input first.
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            thread::sleep(Duration::from_millis(100));
        };
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("the server ended with {status}")).with_log(&self.last_lines()))
    }
}

impl Drop for ServerChild {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its end is all that is left to wait for; should it not come, the process is taken down.
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what the server says until its end, so that it never waits for a reader; tells its port once it is ready.
fn read_log(output: impl BufRead, log: &Log, ports: &Sender<u16>) {
    let mut port = None;
    for line in output.lines().map_while(std::result::Result::ok) {
        port = port.or_else(|| port_in(&line));
        if line.contains("Ready to accept connections")
            && let Some(port) = port
        {
            // Nobody listens any more if it came too late.
            let _ = ports.send(port);
        }
        let mut log = lock(log);
        if log.len() == LINES_KEPT {
            log.pop_front();
        }
        log.push_back(line);
    }
}

fn port_in(line: &str) -> Option<u16> {
    line.rsplit_once("started, port ")?.1.parse().ok()
}

fn lock(log: &Log) -> MutexGuard<'_, VecDeque<String>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_the_port_when_the_server_is_ready() {
        let said =
            "1:M * Mainspring 0.1.0 started, port 7001\n1:M * Ready to accept connections tcp\n";
        let (sender, ports) = channel();
        let log = Log::default();
        read_log(said.as_bytes(), &log, &sender);
        assert_eq!(ports.try_recv(), Ok(7001));
        assert_eq!(lock(&log).len(), 2);
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let said: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let log = Log::default();
        read_log(said.as_bytes(), &log, &channel().0);
        assert_eq!(lock(&log).front().map(String::as_str), Some("line 92"));
        assert_eq!(lock(&log).len(), LINES_KEPT);
    }
}
