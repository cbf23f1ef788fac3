use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::wire::{Connect, Wire};

/// A server that was started for a test, in a directory of its own. It dies with its owner, and with the test process
/// however that ends.
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    // Field order: the directory goes after the process has been ended by `drop`.
    directory: ScratchDirectory,
}

impl ServerProcess {
    /// redis-server from PATH.
    pub fn redis(arguments: &[String]) -> io::Result<ServerProcess> {
        ServerProcess::redis_like(Path::new("redis-server"), arguments)
    }

    /// Redis, Valkey and their like. They cannot choose a port themselves (their port 0 means none), so a free one is looked
    /// for and another tried if somebody else was faster.
    pub fn redis_like(program: &Path, arguments: &[String]) -> io::Result<ServerProcess> {
        let mut failure = None;
        for _attempt in 0..5 {
            let port = free_port()?;
            let mut command = Command::new(program);
            command.args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ]);
            // A blocked client's timeout is noticed at the next tick.
            command.args(["--hz", "500"]).args(arguments).arg("--dir");
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            match ServerProcess::start(&command, |_| Ok(address)) {
                Ok(server) => return Ok(server),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let why = format!("{} is not on PATH", program.display());
                    return Err(io::Error::new(ErrorKind::NotFound, why));
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.expect("the loop ends early or fails"))
    }

    /// Our own server, which writes the port it was given to a file.
    pub fn mainspring(binary: &Path, arguments: &[String]) -> io::Result<ServerProcess> {
        let mut command = Command::new(binary);
        command.args(["server", "--port", "0", "--port-file", "port"]).args(arguments).arg("--dir");
        ServerProcess::start(&command, |directory| {
            let text = fs::read_to_string(directory.join("port"))?;
            let port: u16 = text
                .trim()
                .parse()
                .map_err(|_| io::Error::other(format!("{text:?} is no port")))?;
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// setpriv has replaced itself by the server: this is the server's own number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its log so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.directory.path.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it ended, if it has within the time given.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() > deadline {
                return Ok(status);
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// `command` lacks only its last argument, the directory it shall work in.
    fn start(
        command: &Command,
        find_address: impl Fn(&Path) -> io::Result<SocketAddr>,
    ) -> io::Result<ServerProcess> {
        let directory = ScratchDirectory::create()?;
        let log_path = directory.path.join("log");
        let log = File::create(&log_path)?;
        // setpriv lets the kernel end the server when this process is gone, even if it was killed.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program());
        bound.args(command.get_args()).arg(&directory.path).current_dir(&directory.path);
        // SORT ALPHA follows the locale.
        bound.env("LC_ALL", "C");
        bound.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let child = spawn_from_lasting_thread(bound)?;
        let mut server =
            ServerProcess { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), directory };

        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let ended = server.child.try_wait()?;
            let said = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
            if let Some(status) = ended {
                // The shell's and setpriv's way to say that there is no such program.
                let kind =
                    if status.code() == Some(127) { ErrorKind::NotFound } else { ErrorKind::Other };
                return Err(io::Error::new(
                    kind,
                    format!("the server ended with {status} and said:\n{said}"),
                ));
            }
            if said.contains("Ready to accept connections") {
                server.address = find_address(&server.directory.path)?;
                return Ok(server);
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("the server is not ready and said:\n{said}"),
                ));
            }
            sleep(Duration::from_millis(5));
        }
    }
}

impl Connect for ServerProcess {
    fn connect(&self) -> io::Result<Box<dyn Wire>> {
        self.address.connect()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only if the process has already ended, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kernel binds a child's life to the *thread* that started it; so that is one which lasts as long as the process.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();

    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = channel::<Order>();
        spawn(move || {
            for (mut command, answer) in receiver {
                // Who asked may have given up; then nobody wants the child's handle.
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, answered) = channel();
    let order = (command, answer);
    orders
        .lock()
        .expect("no holder panics")
        .send(order)
        .expect("the thread lasts as long as the process");
    answered.recv().expect("every order is answered")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

struct ScratchDirectory {
    path: PathBuf,
}

impl ScratchDirectory {
    fn create() -> io::Result<ScratchDirectory> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mainspring-test-{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(ScratchDirectory { path })
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        // A directory left behind in /tmp is no reason to fail a test.
        let _ = fs::remove_dir_all(&self.path);
    }
}
