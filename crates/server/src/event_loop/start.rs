//! What comes before the first turn: everything is read, bound and prepared, and the outside gets its handles.

use std::fs;
use std::io::{self, Read};

use mio::event::Source;
use mio::net::UnixStream;
use mio::{Interest, Poll, Token};

use super::{BELL, FIRST_LISTENER, Server};
use crate::clock::Clock;
use crate::config::Config;
use crate::handle::{Door, Handle};
use crate::listener::{self, Listener};
use crate::log::{self, Level};
use crate::snapshot;
use crate::spin::Spin;
use crate::state::State;

impl Server {
    /// Binds and prepares; nothing is served before [`Server::run`].
    pub fn start(config: Config) -> io::Result<Server> {
        log::set_level(Level::parse(config.text("loglevel")));
        let logfile = config.text("logfile");
        log::open(logfile).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open logfile '{logfile}': {error}"))
        })?;
        raise_descriptor_limit(&config);
        let folder = config.text("dir");
        // A process that merely has a server inside keeps its folder.
        if folder != "." {
            std::env::set_current_dir(folder).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot change to folder '{folder}': {error}"))
            })?;
        }

        let mut chance = [0u8; 28];
        fs::File::open("/dev/urandom")?.read_exact(&mut chance)?;
        let seed = u64::from_le_bytes(chance[..8].try_into().expect("eight bytes"));
        let run_id = chance[8..].iter().map(|byte| format!("{byte:02x}")).collect();

        let (listeners, port) = listener::open(&config)?;
        let port_file = config.port_file.clone();
        let pidfile = config.text("pidfile").to_owned();
        let mut state = State::new(config, Clock::new(), seed, run_id);
        state.tcp_port = port;
        snapshot::load(&mut state)?;

        let poll = Poll::new()?;
        let (door, bell) = Door::new()?;
        let mut server = Server {
            poll,
            state,
            connections: vec![None],
            listeners,
            door,
            bell: UnixStream::from_std(bell),
            readable: Vec::new(),
            runnable: Vec::new(),
            writable: Vec::new(),
            window: Vec::new(),
            hashes: Vec::new(),
            commands_end_us: 0,
            next_cron_ms: 0,
            expiry_is_behind: false,
            eviction_is_behind: false,
            spin: Spin::new(),
            mail_turns: 0,
        };
        server.watch_listeners()?;
        if !pidfile.is_empty() {
            fs::write(&pidfile, format!("{}\n", std::process::id()))?;
        }
        if let Some(path) = port_file {
            write_port_file(&path, port)?;
        }
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.state.tcp_port
    }

    /// For other threads: to end this server, or to connect to it without an address.
    pub fn handle(&self) -> io::Result<Handle> {
        self.door.handle()
    }

    /// SIGTERM and SIGINT end the server.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::low_level::pipe::register(signal, self.door.signal_pipe()?)?;
        }
        Ok(())
    }

    fn watch_listeners(&mut self) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut self.bell, BELL, Interest::READABLE)?;
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let source: &mut dyn Source = match listener {
                Listener::Tcp(listener) => listener,
                Listener::Unix { listener, .. } => listener,
            };
            registry.register(source, Token(FIRST_LISTENER + index), Interest::READABLE)?;
        }
        Ok(())
    }
}

/// Every client needs a descriptor, and the server some for itself.
fn raise_descriptor_limit(config: &Config) {
    let wanted = config.number("maxclients") as u64 + 256;
    if let Ok((soft, hard)) = rlimit::Resource::NOFILE.get()
        && soft < wanted
    {
        let _ = rlimit::Resource::NOFILE.set(wanted.min(hard), hard);
    }
}

/// Whoever waits for the file finds it whole.
fn write_port_file(path: &str, port: u16) -> io::Result<()> {
    let unfinished = format!("{path}.{}", std::process::id());
    fs::write(&unfinished, format!("{port}\n"))?;
    fs::rename(&unfinished, path)
}
