//! The function engine in this server: the engine's two doors, its commands, its place in the loop's turn.

use std::ffi::OsString;
use std::io;
use std::path;
use std::time::Duration;

use commands::glob;
use functions::host::{ClientId, EventInterest, Host, Level, Projection, Value};
use functions::worker::{FromWorker, WorkerId};
use functions::{Answer, Doors, Engine};
use hashbrown::HashMap;
use keyspace::{Object, StringRef, ValueRef};
use mio::unix::SourceFd;
use mio::{Registry, Token};
use resp::ReplyWriter;
use worker::{Change, Packages, Pool, PoolSpec};

use crate::client::{Pending, Slot};
use crate::clients::INTERNAL;
use crate::config::Config;
use crate::dispatch::{self, Outcome};
use crate::log;
use crate::state::State;

/// What the server keeps for the engine.
pub(crate) struct Gears {
    /// Absent while it runs: what happens meanwhile is told afterwards.
    machine: Option<Box<Machine>>,
    interest: EventInterest,
    /// Which client waits for which call's reply.
    calls: HashMap<u64, (Slot, u64)>,
    next_call: u64,
    /// Key events caused by functions, while the engine runs.
    late_events: Vec<(&'static str, Box<[u8]>)>,
    /// Clients that went away meanwhile.
    gone: Vec<ClientId>,
    messages: Vec<(WorkerId, FromWorker)>,
}

struct Machine {
    engine: Engine,
    pool: Pool,
}

impl Gears {
    pub(crate) fn new(config: &Config) -> Self {
        let mut options = functions::Config::default();
        for (name, option) in [
            ("reply-compat", "ReplyCompat"),
            ("function-timeout-ms", "function-timeout-ms"),
            ("function-memory-bytes", "function-memory-bytes"),
            ("function-queue-max", "function-queue-max"),
            ("atomic-max-ms", "atomic-max-ms"),
        ] {
            options
                .load(option, config.text(name))
                .expect("the configuration has checked the value");
        }
        let interpreters = config.text("python").split_whitespace().map(OsString::from).collect();
        let warm = config.number("function-workers-warm") as usize;
        let wheels = Some(config.text("requirements-wheels")).filter(|path| !path.is_empty());
        // The working directory is `dir` by now; what packages are imported from must not depend on it.
        let packages = Packages {
            directory: path::absolute("mainspring-python").ok(),
            wheels: wheels.and_then(|wheels| path::absolute(wheels).ok()),
        };
        let pool = Pool::new(PoolSpec { interpreters, warm, packages });
        Gears {
            machine: Some(Box::new(Machine { engine: Engine::new(options), pool })),
            interest: EventInterest::default(),
            calls: HashMap::new(),
            next_call: 1,
            late_events: Vec::new(),
            gone: Vec::new(),
            messages: Vec::new(),
        }
    }

    pub(crate) fn interest(&self) -> EventInterest {
        self.interest
    }

    pub(crate) fn has_work(&self) -> bool {
        self.machine
            .as_ref()
            .is_some_and(|machine| machine.engine.has_work() || machine.pool.has_overdue())
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.machine.as_ref()?.engine.next_deadline_ms()
    }

    pub(crate) fn shutdown(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.pool.shutdown();
        }
    }
}

/// Lends the doors to the engine, then tells it what happened meanwhile. `None` if it runs already.
fn with_engine<R>(state: &mut State, act: impl FnOnce(&mut Engine, &mut Doors) -> R) -> Option<R> {
    let mut machine = state.gears.machine.take()?;
    let mut host = LentState { state };
    let mut doors = Doors { host: &mut host, workers: &mut machine.pool };
    let result = act(&mut machine.engine, &mut doors);
    tell_late(&mut machine, state);
    state.gears.machine = Some(machine);
    Some(result)
}

/// Events that functions caused, and clients that went away, while the engine ran: in order, until there is nothing new.
fn tell_late(machine: &mut Machine, state: &mut State) {
    loop {
        let events = std::mem::take(&mut state.gears.late_events);
        let gone = std::mem::take(&mut state.gears.gone);
        if events.is_empty() && gone.is_empty() {
            return;
        }
        let mut host = LentState { state };
        let mut doors = Doors { host: &mut host, workers: &mut machine.pool };
        for (event, key) in events {
            machine.engine.key_event(&mut doors, event, &key);
        }
        for client in gone {
            machine.engine.client_gone(client);
        }
    }
}

/// An RG.* command of a client, or of a function.
pub(crate) fn command(
    state: &mut State,
    slot: Slot,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    let client = &mut state.clients[slot];
    let can_block = !client.is_internal() && !client.transaction.is_open() && state.depth == 0;
    let call = state.gears.next_call;
    if can_block {
        // Registered first, for the reply may come before the engine returns.
        state.gears.next_call += 1;
        client.pending.push_back(Pending { call, wire: None });
        state.gears.calls.insert(call, (slot, client.id));
    }
    let answer = with_engine(state, |engine, doors| {
        engine.command(doors, ClientId(call), request, can_block, out)
    });
    match answer {
        Some(Answer::Later) => {
            // The reply may be there already.
            let client = &mut state.clients[slot];
            deliver(client, out);
            if client.pending.is_empty() { Outcome::Answered } else { Outcome::Waiting }
        }
        ready => {
            if can_block {
                state.gears.calls.remove(&call);
                state.clients[slot].pending.retain(|pending| pending.call != call);
            }
            if ready.is_none() {
                let protocol = state.clients[slot].protocol;
                ReplyWriter::new(out, protocol)
                    .error(b"ERR the function engine is busy with this very call");
            }
            Outcome::Answered
        }
    }
}

/// Moves replies that are there, up to the first that is not, to the client's output.
fn deliver(client: &mut crate::client::Client, out: &mut Vec<u8>) {
    while let Some(Pending { wire: Some(_), .. }) = client.pending.front() {
        if let Some(Pending { wire: Some(wire), .. }) = client.pending.pop_front() {
            out.extend_from_slice(&wire);
        }
    }
}

/// A keyspace event of database 0.
pub(crate) fn key_event(state: &mut State, event: &'static str, key: &[u8]) {
    if !state.gears.interest.keyspace
        && !state.gears.interest.streams
        && !state.gears.interest.misses
    {
        return;
    }
    if with_engine(state, |engine, doors| engine.key_event(doors, event, key)).is_none() {
        state.gears.late_events.push((event, key.into()));
    }
}

/// Nobody waits for this client's replies any more.
pub(crate) fn client_gone(state: &mut State, slot: Slot) {
    let pending = std::mem::take(&mut state.clients[slot].pending);
    for pending in pending {
        if state.gears.calls.remove(&pending.call).is_some() {
            state.gears.gone.push(ClientId(pending.call));
        }
    }
    if !state.gears.gone.is_empty() {
        with_engine(state, |_, _| {});
    }
}

/// A worker's descriptor is ready.
pub(crate) fn worker_ready(state: &mut State, token: u64) {
    receive(state, |pool, sink| pool.ready(token, sink));
}

/// Takes messages out of the pool, then hands them to the engine.
fn receive(state: &mut State, read: impl FnOnce(&mut Pool, &mut dyn FnMut(WorkerId, FromWorker))) {
    let mut messages = std::mem::take(&mut state.gears.messages);
    if let Some(machine) = &mut state.gears.machine {
        read(&mut machine.pool, &mut |worker, message| messages.push((worker, message)));
    }
    if !messages.is_empty() {
        with_engine(state, |engine, doors| {
            for (worker, message) in messages.drain(..) {
                engine.from_worker(doors, worker, message);
            }
        });
    }
    state.gears.messages = messages;
}

/// The engine's share of a turn: what it set aside, what is due, some reading, then everything goes out.
pub(crate) fn turn(state: &mut State, budget_us: u64) {
    if state.gears.machine.as_ref().is_some_and(|machine| machine.pool.has_overdue()) {
        receive(state, Pool::overdue);
    }
    tick_if_due(state);
    if state.gears.machine.as_ref().is_some_and(|machine| machine.engine.has_work()) {
        with_engine(state, |engine, doors| engine.work(doors, budget_us));
    }
    flush(state);
    serve_lease(state);
}

fn tick_if_due(state: &mut State) {
    let now_ms = state.clock.unix_ms();
    if state.gears.next_deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
        with_engine(state, Engine::tick);
    }
}

fn flush(state: &mut State) {
    let now_ms = state.clock.unix_ms();
    if let Some(machine) = &mut state.gears.machine {
        machine.pool.flush(now_ms);
        for (level, line) in machine.pool.take_log() {
            log::write(log_level(level), &format!("GEARS: {line}"));
        }
    }
}

/// `atomic()`: nobody but one worker is served until it lets go, dies or is cut off.
fn serve_lease(state: &mut State) {
    while let Some(lease) = state.gears.machine.as_ref().and_then(|machine| machine.engine.lease())
    {
        state.tick();
        tick_if_due(state);
        let left_ms = (lease.until_ms - state.clock.unix_ms()).clamp(0, 1000) as u64;
        receive(state, |pool, sink| {
            pool.wait_one(lease.worker, Duration::from_millis(left_ms), sink);
        });
        flush(state);
    }
}

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

/// INFO's rg section.
pub(crate) fn info(state: &mut State) -> String {
    let mut text = String::new();
    with_engine(state, |engine, doors| engine.info(doors, &mut text));
    text
}

/// The server, lent to the engine for one call.
struct LentState<'a> {
    state: &'a mut State,
}

impl Host for LentState<'_> {
    fn now_ms(&self) -> i64 {
        self.state.clock.unix_ms()
    }

    fn monotonic_us(&self) -> u64 {
        self.state.clock.monotonic_us()
    }

    fn call(&mut self, args: &[&[u8]], reply: &mut Vec<u8>) {
        dispatch::call_internal(self.state, INTERNAL, args, reply);
    }

    fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        projection: Projection,
        visit: &mut dyn FnMut(&[u8], Value<'_>),
    ) -> u64 {
        let mut database = self.state.keyspace.database(0);
        database.scan(cursor, count, &mut |key, value| {
            if pattern.is_none_or(|pattern| glob::matches(pattern, key)) {
                show(Some(value), projection, &mut |value| visit(key, value));
            }
        })
    }

    fn read(&mut self, key: &[u8], projection: Projection, visit: &mut dyn FnMut(Value<'_>)) {
        let mut database = self.state.keyspace.database(0);
        show(database.value(key), projection, visit);
    }

    fn reply(&mut self, client: ClientId, wire: &[u8]) {
        let Some((slot, id)) = self.state.gears.calls.remove(&client.0) else { return };
        let Some(waiting) = self.state.clients.get_mut(slot).filter(|waiting| waiting.id == id)
        else {
            return;
        };
        let Some(pending) = waiting.pending.iter_mut().find(|pending| pending.call == client.0)
        else {
            return;
        };
        pending.wire = Some(wire.to_vec());
        let mut out = std::mem::take(&mut waiting.output);
        deliver(waiting, &mut out);
        waiting.output = out;
        let is_free = waiting.pending.is_empty();
        self.state.clients.mark_output(slot);
        if is_free {
            self.state.clients.resume(slot);
        }
    }

    fn log(&mut self, level: Level, message: &str) {
        log::write(log_level(level), message);
    }

    fn random(&mut self, into: &mut [u8]) {
        let mut random = self.state.keyspace.database(0).generator();
        for chunk in into.chunks_mut(8) {
            let bytes = random.draw().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    fn watch_events(&mut self, interest: EventInterest) {
        self.state.gears.interest = interest;
        self.state.update_interest();
    }
}

fn log_level(level: Level) -> log::Level {
    match level {
        Level::Debug => log::Level::Debug,
        Level::Verbose => log::Level::Verbose,
        Level::Notice => log::Level::Notice,
        Level::Warning => log::Level::Warning,
    }
}

/// A value of the keyspace as readers see it.
fn show(value: Option<ValueRef<'_>>, projection: Projection, visit: &mut dyn FnMut(Value<'_>)) {
    let Some(value) = value.filter(|_| projection == Projection::KeyAndValue) else {
        visit(Value::Missing);
        return;
    };
    match value {
        ValueRef::String(StringRef::Bytes(bytes)) => visit(Value::String(bytes)),
        ValueRef::String(number) => number.with_bytes(|bytes| visit(Value::String(bytes))),
        ValueRef::Object(Object::List(list)) => visit(Value::List(&mut list.iter())),
        ValueRef::Object(Object::Hash(hash)) => visit(Value::Hash(&mut hash.iter())),
        ValueRef::Object(Object::Set(_)) => visit(Value::Opaque("set")),
        ValueRef::Object(Object::SortedSet(_)) => visit(Value::Opaque("zset")),
        ValueRef::Object(Object::Stream(_)) => visit(Value::Opaque("unknown")),
    }
}
