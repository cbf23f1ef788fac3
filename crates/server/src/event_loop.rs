//! The one thread's loop.
//!
//! A turn: wait; read and decode what all ready sockets have; execute all requests, in each connection's order; let the
//! function engine work a little; write to each client once. Hot keys are prefetched over the whole window of requests
//! before the first of them is executed: memory latency, not instructions, is what a lookup costs.

use std::fs;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use mio::event::Source;
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use resp::ReplyWriter;

use crate::client::{Address, Pending, Slot};
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::{Connection, ReadEnd, Socket};
use crate::dispatch::{self, Outcome, dispatch};
use crate::eviction::{self, Room};
use crate::function_calls;
use crate::handle::{Door, Handle};
use crate::listener::{self, Listener};
use crate::log::{self, Level};
use crate::snapshot;
use crate::spin::Spin;
use crate::state::State;

/// Sockets that one turn hears at most: thousands that come or go together must not make the others wait.
const EVENTS_MAX: usize = 256;
/// Requests whose keys are prefetched together.
const WINDOW: usize = 64;
/// A client with so many unsent bytes executes no further request until some are gone.
const UNSENT_BYTES_MAX: usize = 1 << 20;
/// A client that waits keeps so much input; more stays in its socket.
const WAITING_INPUT_BYTES_MAX: usize = 64 << 10;
/// What commands may take of a turn before its replies are written and other sockets are heard.
const COMMANDS_BUDGET_US: u64 = 5000;
/// What the function engine may take of a turn before clients are served again.
const FUNCTIONS_BUDGET_US: u64 = 500;
/// Looks into mailboxes for one question to the kernel.
const LOOKS: usize = 8;
/// So many turns for mail at most come between two questions to the kernel.
const MAIL_TURNS_MAX: usize = 16;
const CRON_INTERVAL_MS: i64 = 100;
/// Entries that one step of active expiry looks at, and how long it may go on within one turn.
const EXPIRY_STEP: usize = 2000;
const EXPIRY_BUDGET_US: u64 = 1000;

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
    /// Counts turns that began with mail, up to [`MAIL_TURNS_MAX`].
    mail_turns: usize,
}

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

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        events.clear();
        let patience = self.patience();
        let poll = &mut self.poll;
        let mut wait = |patience| match poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(false)
            }
            result => result.map(|()| !events.is_empty()),
        };
        // A function that has what it waited for mostly asks for the next thing, or ends, at once.
        let expects_worker = std::mem::take(&mut self.state.gears.expects_worker);
        if patience.is_zero() {
            wait(patience)?;
            return Ok(());
        }
        let state = &mut self.state;
        if expects_worker {
            // However quickly functions call: the sockets are not forgotten.
            self.mail_turns = (self.mail_turns + 1) % MAIL_TURNS_MAX;
            if self.mail_turns == 0 && wait(Duration::ZERO)? {
                return Ok(());
            }
            let mut is_there = || Ok(has_mail_soon(state) || wait(Duration::ZERO)?);
            if self.spin.look::<io::Error>(&mut is_there)? {
                return Ok(());
            }
        }
        let may_sleep = crate::gears::fall_asleep(state);
        let waited = wait(if may_sleep { patience } else { Duration::ZERO });
        crate::gears::wake_up(state);
        waited.map(drop)
    }

    /// Between two connections: a function that waits for its call's reply waits no longer than they take.
    fn look(&mut self) {
        crate::gears::look(&mut self.state);
    }

    /// How long the loop may sleep.
    fn patience(&self) -> Duration {
        let state = &self.state;
        if !self.readable.is_empty()
            || !self.runnable.is_empty()
            || state.gears.has_work()
            || state.clients.have_unfinished()
            || state.keyspace.has_ready_keys()
        {
            return Duration::ZERO;
        }
        let now_ms = self.state.clock.unix_ms();
        let deadlines = [
            Some(self.next_cron_ms),
            self.cron_is_behind().then_some(now_ms + 1),
            self.state.blocking.next_deadline_ms(),
            self.state.gears.next_deadline_ms(),
        ];
        let next_ms = deadlines.into_iter().flatten().min().unwrap_or(now_ms);
        Duration::from_millis((next_ms - now_ms).clamp(0, CRON_INTERVAL_MS) as u64)
    }
}

/// Clients coming and going.
impl Server {
    fn accept(&mut self, index: usize) -> io::Result<()> {
        loop {
            let (socket, address) = match self.listeners[index].accept() {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return Ok(()),
                Err(error) => {
                    // A client that is gone already, or no descriptor left: the others go on.
                    log::write(Level::Warning, &format!("Accepting a client failed: {error}"));
                    return Ok(());
                }
            };
            self.admit(socket, address)?;
        }
    }

    /// What other threads asked for.
    fn open_door(&mut self) -> io::Result<()> {
        let asked = self.door.look();
        self.state.shutdown |= asked.stop;
        for stream in asked.connections {
            self.admit(Socket::Unix(UnixStream::from_std(stream)), Address::InProcess)?;
        }
        Ok(())
    }

    fn admit(&mut self, socket: Socket, address: Address) -> io::Result<()> {
        self.state.statistics.connections_received += 1;
        let mut connection = Box::new(Connection::new(socket));
        if self.state.clients.len() >= self.state.config.number("maxclients") as usize {
            self.state.statistics.connections_rejected += 1;
            let _ = connection.write(b"-ERR max number of clients reached\r\n");
            return Ok(());
        }
        let authenticated = self.state.settings.password.is_none();
        let slot = self.state.clients.add(address, self.state.clock.unix_ms(), authenticated);
        let peak = &mut self.state.statistics.clients_peak;
        *peak = (*peak).max(self.state.clients.len());
        self.poll.registry().register(
            source(&mut connection.socket),
            Token(slot),
            Interest::READABLE,
        )?;
        if self.connections.len() <= slot {
            self.connections.resize_with(slot + 1, || None);
        }
        self.connections[slot] = Some(connection);
        // Its first request is here already as a rule, and this event was for the listener.
        self.mark_readable(slot);
        Ok(())
    }

    fn close(&mut self, slot: Slot) {
        if let Some(mut connection) = self.connections.get_mut(slot).and_then(Option::take) {
            let _ = self.poll.registry().deregister(source(&mut connection.socket));
        }
        let state = &mut self.state;
        if state.clients.get(slot).is_none() {
            return;
        }
        crate::blocking::release(
            &mut state.blocking,
            &mut state.keyspace,
            &mut state.clients,
            slot,
        );
        crate::commands::forget_subscriptions(state, slot);
        crate::monitor::stop(state, slot);
        crate::gears::client_gone(state, slot);
        if let Some(mut client) = state.clients.remove(slot) {
            client.transaction.close(&mut state.keyspace);
        }
        self.readable.retain(|other| *other != slot);
        self.runnable.retain(|other| *other != slot);
    }

    fn close_condemned(&mut self) {
        for slot in self.state.clients.take_condemned() {
            self.close(slot);
        }
    }
}

/// Phase 1: read and decode.
impl Server {
    fn mark_readable(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if !connection.is_readable {
            connection.is_readable = true;
            self.readable.push(slot);
        }
    }

    fn read(&mut self) {
        for slot in std::mem::take(&mut self.readable) {
            self.look();
            let Some(Some(connection)) = self.connections.get_mut(slot) else { continue };
            let client = &mut self.state.clients[slot];
            let held_up = client.is_waiting()
                || client.unsent() > UNSENT_BYTES_MAX
                || connection.pending() > 0;
            if held_up && connection.buffered() > WAITING_INPUT_BYTES_MAX {
                // Stays marked: reading goes on when the client does.
                continue;
            }
            let (count, end) = connection.read();
            self.state.statistics.input_bytes += count as u64;
            connection.decode(&self.state.settings.request_limits);
            match end {
                ReadEnd::Drained => connection.is_readable = false,
                ReadEnd::More => self.readable.push(slot),
                ReadEnd::Closed => {
                    connection.is_readable = false;
                    connection.at_end = true;
                }
            }
            client.active_ms = self.state.clock.unix_ms();
            if connection.buffered() > self.state.settings.query_bytes_max {
                self.state.statistics.query_limit_disconnections += 1;
                self.state.clients.condemn(slot);
                continue;
            }
            if connection.has_something() && !connection.is_listed {
                connection.is_listed = true;
                self.runnable.push(slot);
            }
        }
    }
}

/// Phase 2: execute.
impl Server {
    fn execute(&mut self) {
        loop {
            self.execute_runnable();
            dispatch::serve_ready(&mut self.state);
            for slot in self.state.clients.take_resumed() {
                if !function_calls::resumed(&mut self.state, slot) {
                    self.resume(slot);
                }
            }
            if self.runnable.is_empty() || self.is_time_over() {
                return;
            }
        }
    }

    /// What commands did not come to is left for the next turn: a pipeline of slow ones is its own client's matter.
    fn is_time_over(&self) -> bool {
        self.state.command_end_us > self.commands_end_us
    }

    /// A client that waited goes on: with what it has sent meanwhile, and with reading.
    fn resume(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if !connection.is_listed {
            connection.is_listed = true;
            self.runnable.push(slot);
        }
        if connection.is_readable && !self.readable.contains(&slot) {
            self.readable.push(slot);
        }
    }

    fn execute_runnable(&mut self) {
        let runnable = std::mem::take(&mut self.runnable);
        let mut index = 0;
        while index < runnable.len() && !self.is_time_over() {
            let mut window = std::mem::take(&mut self.window);
            window.clear();
            let mut total = 0;
            while index < runnable.len() && total < WINDOW {
                let slot = runnable[index];
                let Some(Some(connection)) = self.connections.get(slot) else {
                    index += 1;
                    continue;
                };
                let pending = connection.pending();
                let count = pending.min(WINDOW - total);
                window.push((slot, count));
                total += count;
                if count == pending {
                    index += 1;
                } else {
                    break;
                }
            }
            if total > 1 {
                self.prefetch(&window);
            }
            for (slot, count) in &window {
                let went_on = self.execute_requests(*slot, *count);
                self.look();
                // A connection that was held up is left for later; its window was the last piece of it.
                if !went_on && runnable.get(index) == Some(slot) {
                    index += 1;
                }
            }
            self.state.end_window();
            if self.is_time_over() {
                let is_last = |slot: &Slot| runnable.get(index) == Some(slot);
                let cut_off = window.iter().map(|(slot, _)| *slot).filter(|slot| !is_last(slot));
                self.leave_for_later(cut_off);
            }
            self.window = window;
        }
        let (first, others) = runnable[index..].split_at(runnable.len().min(index + 1) - index);
        // Whoever had begun stands last now.
        self.leave_for_later(others.iter().chain(first).copied());
    }

    fn leave_for_later(&mut self, slots: impl Iterator<Item = Slot>) {
        for slot in slots {
            if let Some(Some(connection)) = self.connections.get_mut(slot)
                && !self.runnable.contains(&slot)
            {
                // One that was resumed may have nothing yet: it is listed again when it has sent something.
                connection.is_listed = connection.has_something();
                if connection.is_listed {
                    self.runnable.push(slot);
                }
            }
        }
    }

    /// Two passes over the window, so that no miss waits for another: buckets first, then the entries they name.
    fn prefetch(&mut self, window: &[(Slot, usize)]) {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        for (slot, count) in window {
            let Some(Some(connection)) = self.connections.get(*slot) else { continue };
            let db = self.state.clients[*slot].database;
            let input = connection.input();
            for request in connection.upcoming(*count) {
                // The first argument is the key of nearly every command that has any; for the others this is idle work.
                if let Some(key) = request.get(1) {
                    let hash = self.state.keyspace.hash(key.of(input));
                    self.state.keyspace.prefetch_bucket(db, hash);
                    hashes.push((db, hash));
                }
            }
        }
        for (db, hash) in &hashes {
            self.state.keyspace.prefetch_entry(*db, *hash);
        }
        self.hashes = hashes;
    }

    /// Executes up to `count` requests of a connection; false if it was held up.
    fn execute_requests(&mut self, slot: Slot, count: usize) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return false };
        let mut went_on = true;
        let mut out = std::mem::take(&mut self.state.clients[slot].output);
        self.state.gears.executing = Some(slot);
        for _ in 0..count {
            if self.state.command_end_us > self.commands_end_us {
                break;
            }
            let client = &mut self.state.clients[slot];
            if client.closing
                || client.blocked.is_some()
                || out.len() - client.sent > UNSENT_BYTES_MAX
            {
                went_on = false;
                break;
            }
            if !client.pending.is_empty() && !next_may_overtake(connection) {
                went_on = false;
                break;
            }
            client.commands += 1;
            let Some((input, spans)) = connection.next_request() else { break };
            let mut few: [&[u8]; 8] = [&[]; 8];
            let many: Vec<&[u8]>;
            let request: &[&[u8]] = match few.get_mut(..spans.len()) {
                Some(few) => {
                    few.iter_mut()
                        .zip(spans)
                        .for_each(|(argument, span)| *argument = span.of(input));
                    few
                }
                None => {
                    many = spans.iter().map(|span| span.of(input)).collect();
                    &many
                }
            };
            if self.state.clients[slot].pending.is_empty() {
                dispatch(&mut self.state, slot, request, &mut out);
            } else {
                // Replies keep the order of their requests: this one stands behind those that functions still owe.
                let mut late = Vec::new();
                if dispatch(&mut self.state, slot, request, &mut late) == Outcome::Answered {
                    let pending = Pending { call: 0, wire: Some(late) };
                    self.state.clients[slot].pending.push_back(pending);
                }
            }
        }
        self.state.gears.executing = None;
        let client = &mut self.state.clients[slot];
        if !client.pending.is_empty() {
            // Replies that came while a function ran inside one of the requests.
            crate::gears::deliver(client, &mut out);
            if client.pending.is_empty() {
                self.state.clients.resume(slot);
            }
        }
        let client = &mut self.state.clients[slot];
        let messages = std::mem::replace(&mut client.output, out);
        client.output.extend_from_slice(&messages);
        self.finish_requests(slot);
        went_on
    }

    /// What follows a connection's share of the turn.
    fn finish_requests(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        connection.compact();
        let client = &mut self.state.clients[slot];
        connection.is_listed = false;
        let is_waiting = client.is_waiting();
        if connection.is_readable && connection.pending() == 0 && !self.readable.contains(&slot) {
            // It was read no further while it had enough to do.
            self.readable.push(slot);
        }
        if connection.pending() == 0 && !is_waiting {
            if let Some(error) = connection.error.take() {
                self.state.statistics.protocol_errors += 1;
                let text = format!("ERR {error}");
                ReplyWriter::new(&mut client.output, client.protocol).error(text.as_bytes());
                client.closing = true;
            }
            if connection.at_end {
                client.closing = true;
            }
        } else if connection.at_end && is_waiting {
            // Whoever went away while waiting gets no answer any more.
            self.state.clients.condemn(slot);
            return;
        }
        if client.unsent() > 0 || client.closing {
            self.state.clients.mark_output(slot);
        }
    }
}

/// Looking into memory costs less than asking the kernel: it is done that much more often. And the function may be
/// waiting for this very processor.
fn has_mail_soon(state: &State) -> bool {
    (0..LOOKS).any(|_| {
        thread::yield_now();
        crate::gears::has_mail(state)
    })
}

/// Whether the next request may start while replies are still owed: triggers of one pipeline share a batch.
fn next_may_overtake(connection: &Connection) -> bool {
    let input = connection.input();
    let next = connection.upcoming(1).next();
    next.is_some_and(|request| request[0].of(input).eq_ignore_ascii_case(b"rg.trigger"))
}

/// Functions and everything that time brings.
impl Server {
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

    /// Some of what cron does was more than it may do within one turn.
    fn cron_is_behind(&self) -> bool {
        self.expiry_is_behind || self.eviction_is_behind
    }

    fn cron(&mut self) {
        let state = &mut self.state;
        let started_us = state.clock.monotonic_us();
        self.expiry_is_behind = loop {
            if state.keyspace.expire_cycle(EXPIRY_STEP) == 0 {
                break false;
            }
            if state.clock.monotonic_us() - started_us > EXPIRY_BUDGET_US {
                break true;
            }
        };
        if state.keyspace.has_events() {
            dispatch::tell_events(state);
        }
        // Commands make room for themselves; this is for a server that nobody asks anything and for a limit that was lowered.
        self.eviction_is_behind = eviction::make_room(state) == Room::Coming;
        let now_ms = state.clock.unix_ms();
        if now_ms < self.next_cron_ms {
            return;
        }
        self.next_cron_ms = now_ms + CRON_INTERVAL_MS;
        state.statistics.sample(now_ms);

        let idle_max_ms = state.settings.idle_seconds_max * 1000;
        let mut idle: Vec<Slot> = Vec::new();
        let mut behind: Vec<Slot> = Vec::new();
        for (slot, client) in state.clients.iter() {
            let idle_ms = now_ms - client.active_ms;
            if idle_max_ms > 0
                && idle_ms > idle_max_ms
                && !client.is_waiting()
                && !client.is_subscriber()
            {
                idle.push(slot);
            }
            if client.behind_until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
                behind.push(slot);
            }
            if idle_ms > 2000
                && let Some(Some(connection)) = self.connections.get_mut(slot)
            {
                connection.shrink();
            }
        }
        idle.into_iter().for_each(|slot| state.clients.condemn(slot));
        behind.into_iter().for_each(|slot| self.close_for_output(slot));
    }
}

/// Phase 3: write.
impl Server {
    fn continue_writing(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if connection.awaits_writable {
            self.state.clients.mark_output(slot);
        }
    }

    fn write(&mut self) {
        let mut writable = std::mem::take(&mut self.writable);
        self.state.clients.take_with_output(&mut writable);
        for slot in &writable {
            self.write_one(*slot);
            self.look();
        }
        self.writable = writable;
    }

    fn write_one(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        let client = &mut self.state.clients[slot];
        let Ok(written) = connection.write(&client.output[client.sent..]) else {
            self.state.clients.condemn(slot);
            return;
        };
        self.state.statistics.output_bytes += written as u64;
        let was_full = client.unsent() > UNSENT_BYTES_MAX;
        client.sent += written;
        if client.unsent() == 0 {
            client.behind_until_ms = None;
            client.sent = 0;
            client.output.clear();
            if client.output.capacity() > 4 * UNSENT_BYTES_MAX {
                client.output = Vec::new();
            }
            if client.closing {
                self.state.clients.condemn(slot);
                return;
            }
            if connection.awaits_writable {
                connection.awaits_writable = false;
                watch(&self.poll, connection, slot, Interest::READABLE);
            }
        } else {
            if client.sent > UNSENT_BYTES_MAX {
                client.output.drain(..client.sent);
                client.sent = 0;
            }
            if !connection.awaits_writable {
                connection.awaits_writable = true;
                watch(&self.poll, connection, slot, Interest::READABLE | Interest::WRITABLE);
            }
            let settings = &self.state.settings;
            let limit = if client.is_subscriber() {
                settings.pubsub_output
            } else {
                settings.normal_output
            };
            let is_behind = limit.soft > 0 && client.unsent() > limit.soft;
            let now_ms = self.state.clock.unix_ms();
            client.behind_until_ms = match client.behind_until_ms {
                Some(until_ms) if is_behind => Some(until_ms),
                _ => is_behind.then_some(now_ms + limit.soft_ms),
            };
            if limit.hard > 0 && client.unsent() > limit.hard {
                self.close_for_output(slot);
                return;
            }
        }
        let is_full = client.unsent() > UNSENT_BYTES_MAX;
        if (was_full || connection.pending() > 0) && !is_full {
            self.resume(slot);
        }
    }
}

impl Server {
    fn close_for_output(&mut self, slot: Slot) {
        self.state.statistics.output_limit_disconnections += 1;
        let address = &self.state.clients[slot].address;
        let text = format!("Client {address} closed for overcoming of output buffer limits.");
        log::write(Level::Warning, &text);
        self.state.clients.condemn(slot);
    }
}

fn watch(poll: &Poll, connection: &mut Connection, slot: Slot, interest: Interest) {
    // A socket that is registered can be registered anew; should it fail, the peer is gone and the next read tells.
    let _ = poll.registry().reregister(source(&mut connection.socket), Token(slot), interest);
}

fn source(socket: &mut Socket) -> &mut dyn Source {
    match socket {
        Socket::Tcp(stream) => stream,
        Socket::Unix(stream) => stream,
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
