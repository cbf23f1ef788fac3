//! The one thread's loop.
//!
//! A turn: wait; read and decode what all ready sockets have; execute all requests, in each connection's order; let the
//! function engine work a little; write to each client once. Hot keys are prefetched over the whole window of requests
//! before the first of them is executed: memory latency, not instructions, is what a lookup costs.

mod arrivals;
mod cron;
mod execute;
mod read;
mod start;
mod waiting;
mod write;

use std::{fs, io};

use mio::net::UnixStream;
use mio::{Events, Poll, Token};

use crate::client::Slot;
use crate::connection::Connection;
use crate::dispatch;
use crate::handle::Door;
use crate::listener::Listener;
use crate::log::{self, Level};
use crate::spin::Spin;
use crate::state::State;

/// Sockets that one turn hears at most: thousands that come or go together must not make the others wait.
const EVENTS_MAX: usize = 256;
/// A client with so many unsent bytes executes no further request until some are gone.
const UNSENT_BYTES_MAX: usize = 1 << 20;
/// What commands may take of a turn before its replies are written and other sockets are heard.
const COMMANDS_BUDGET_US: u64 = 5000;
/// What the function engine may take of a turn before clients are served again.
const FUNCTIONS_BUDGET_US: u64 = 500;

const BELL: Token = Token(usize::MAX);
const FIRST_LISTENER: usize = usize::MAX - 64;
/// Descriptors of workers: the pool's own token follows.
const FIRST_WORKER: usize = 1 << 48;

pub struct Server {
    poll: Poll,
    state: State,
    /// By slot; slot 0 is the server itself and has no socket.
    connections: Vec<Option<Box<Connection>>>,
    listeners: Vec<Listener>,
    door: Door,
    bell: UnixStream,
    /// Connections that have something to read.
    readable: Vec<Slot>,
    /// Connections with requests to execute.
    runnable: Vec<Slot>,
    /// Scratch.
    writable: Vec<Slot>,
    window: Vec<(Slot, usize)>,
    hashes: Vec<(usize, u64)>,
    /// When the turn's commands have had their time.
    commands_end_us: u64,
    next_cron_ms: i64,
    expiry_is_behind: bool,
    eviction_is_behind: bool,
    spin: Spin,
    /// Counts turns that began with mail, since the kernel was last asked.
    mail_turns: usize,
}

impl Server {
    /// Serves until SHUTDOWN, a signal or the stop handle.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        log::write(
            Level::Notice,
            &format!("Mainspring {} started, port {}", env!("CARGO_PKG_VERSION"), self.port()),
        );
        log::write(Level::Notice, "Ready to accept connections tcp");
        while !self.state.shutdown {
            self.turn(&mut events)?;
        }
        log::write(Level::Notice, "Mainspring is now ready to exit, bye bye...");
        self.state.gears.shutdown();
        let pidfile = self.state.config.text("pidfile");
        if !pidfile.is_empty() {
            let _ = fs::remove_file(pidfile);
        }
        // The kernel takes a process' memory back at once; dropping millions of entries one by one would delay the end.
        std::mem::forget(self.state);
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.watch_workers()?;
        self.wait(events)?;
        self.state.tick();
        self.state.statistics.turns += 1;
        self.commands_end_us = self.state.clock.monotonic_us() + COMMANDS_BUDGET_US;
        for event in events.iter() {
            match event.token() {
                BELL => self.open_door()?,
                Token(listener) if listener >= FIRST_LISTENER => {
                    self.accept(listener - FIRST_LISTENER)?
                }
                Token(worker) if worker >= FIRST_WORKER => {
                    self.worker_ready((worker - FIRST_WORKER) as u64)
                }
                Token(slot) => {
                    if event.is_writable() {
                        self.continue_writing(slot);
                    }
                    if event.is_read_closed()
                        && let Some(Some(connection)) = self.connections.get_mut(slot)
                    {
                        connection.end_is_near = true;
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        self.mark_readable(slot);
                    }
                }
            }
        }

        self.look();
        self.read();
        self.execute();
        self.functions();
        if self.state.clock.unix_ms() >= self.next_cron_ms || self.cron_is_behind() {
            self.cron();
        }
        dispatch::time_out(&mut self.state);
        self.execute();
        self.write();
        self.close_condemned();
        Ok(())
    }

    /// Between two connections: a function that waits for its call's reply waits no longer than they take.
    fn look(&mut self) {
        crate::gears::look(&mut self.state);
    }

    fn worker_ready(&mut self, token: u64) {
        crate::gears::worker_ready(&mut self.state, token);
    }

    fn functions(&mut self) {
        crate::gears::turn(&mut self.state, FUNCTIONS_BUDGET_US);
    }

    /// Tells the poll which descriptors of workers came and went.
    fn watch_workers(&mut self) -> io::Result<()> {
        crate::gears::watch(&mut self.state, self.poll.registry(), FIRST_WORKER)
    }
}
