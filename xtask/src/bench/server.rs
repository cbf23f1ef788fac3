//! A server under measurement: started, asked for its cost in /proc, and ended with its owner.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::connection::Connection;
use crate::target_directory;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mainspring,
    Redis,
}

/// Ours first, as in the tables.
pub(super) const BOTH: [Kind; 2] = [Kind::Mainspring, Kind::Redis];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Core(usize),
    Anywhere,
}

pub(super) struct Server {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Server {
    pub(super) fn start(kind: Kind, place: Place) -> io::Result<Server> {
        Server::start_with(kind, place, &[])
    }

    pub(super) fn start_with(kind: Kind, place: Place, more: &[&str]) -> io::Result<Server> {
        let directory = scratch_directory()?;
        let log = File::create(directory.join("log"))?;
        let port = free_port()?;
        // The kernel ends the server when this process is gone, however it went.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if let Place::Core(core) = place {
            command.args(["taskset", "--cpu-list", &core.to_string()]);
        }
        command.arg(program(kind)).args(arguments(kind, port)).args(more).current_dir(&directory);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let mut server = Server { child: command.spawn()?, port, directory };
        server.wait_until_it_answers(Duration::from_millis(5))?;
        Ok(server)
    }

    /// From the start of the program to its first answer. It is started without any wrapper, whose own start would count.
    pub(super) fn time_to_first_pong(kind: Kind) -> io::Result<Duration> {
        let directory = scratch_directory()?;
        let log = File::create(directory.join("log"))?;
        let port = free_port()?;
        let mut command = Command::new(program(kind));
        command.args(arguments(kind, port)).current_dir(&directory);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let start = Instant::now();
        let mut server = Server { child: command.spawn()?, port, directory };
        server.wait_until_it_answers(Duration::from_micros(50))?;
        Ok(start.elapsed())
    }

    fn wait_until_it_answers(&mut self, pause: Duration) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let error = match self.connect().and_then(|mut connection| connection.call(&["PING"])) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.directory.join("log"))?;
                return Err(io::Error::other(format!("no server: {error}; it said:\n{log}")));
            }
            sleep(pause);
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.port)
    }

    /// User and system time of the server's own process so far.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        cpu_of(self.child.id())
    }

    /// The same with all its workers, those that have ended too.
    pub(super) fn cpu_with_workers(&self) -> io::Result<Duration> {
        let processes = processes()?;
        let mut family = vec![self.child.id()];
        let mut total = Duration::ZERO;
        while let Some(parent) = family.pop() {
            // One that has just ended counts as nothing.
            total += cpu_of_family(parent).unwrap_or_default();
            family.extend(processes.iter().filter(|one| one.parent == parent).map(|one| one.id));
        }
        Ok(total)
    }

    /// Resident bytes of the server's own process.
    pub(super) fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| io::Error::other("no VmRSS in /proc"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // These fail only if the process has ended by itself, which is what they are for; and a directory left behind
        // is no reason to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Mainspring => target_directory().join("release/mainspring"),
        Kind::Redis => "redis-server".into(),
    }
}

fn arguments(kind: Kind, port: u16) -> Vec<String> {
    let port = port.to_string();
    let arguments: &[&str] = match kind {
        Kind::Mainspring => &["server", "--port", &port, "--bind", "127.0.0.1"],
        Kind::Redis => {
            &["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        }
    };
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}

struct Process {
    id: u32,
    parent: u32,
}

fn processes() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse() else { continue };
        // It may be gone by now.
        if let Ok(parent) = statistic::<u32>(id, 4) {
            processes.push(Process { id, parent });
        }
    }
    Ok(processes)
}

/// The kernel shows times in hundredths of a second on every Linux, whatever its own tick.
const TICK: Duration = Duration::from_millis(10);

/// User and system time.
fn cpu_of(process: u32) -> io::Result<Duration> {
    Ok(TICK * (statistic::<u32>(process, 14)? + statistic::<u32>(process, 15)?))
}

/// With that of the children that it has seen end.
fn cpu_of_family(process: u32) -> io::Result<Duration> {
    let of_children = statistic::<u32>(process, 16)? + statistic::<u32>(process, 17)?;
    Ok(cpu_of(process)? + TICK * of_children)
}

/// The field of /proc/PID/stat with this number, as proc(5) counts them; from the third on.
fn statistic<N: std::str::FromStr>(process: u32, number: usize) -> io::Result<N> {
    let line = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the program's name in parentheses, may contain anything.
    let (_, fields) =
        line.rsplit_once(')').ok_or_else(|| io::Error::other("no name in /proc/PID/stat"))?;
    fields
        .split_whitespace()
        .nth(number - 3)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::other("too few fields in /proc/PID/stat"))
}

/// Neither server can be told both to choose a port and to be ready at once; somebody else may take it in between, which
/// then shows as a server that does not start.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn scratch_directory() -> io::Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mainspring-bench-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::create_dir_all(&path)?;
    Ok(path)
}
