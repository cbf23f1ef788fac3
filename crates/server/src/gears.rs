//! The function engine in this server: the engine's two doors, its commands, its place in the loop's turn.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::path;
use std::rc::Rc;
use std::time::Duration;

use command_spec::Flags;
use commands::glob;
use functions::host::{
    self, ClientId, CommandFacts, EventInterest, Host, Level, Projection, Removal, RemovalInterest,
    Value,
};
use functions::worker::{ExecutionId, FromWorker, Token as CallToken, WorkerId};
use functions::{Announced, Answer, Doors, During, Engine, Inside};
use hashbrown::HashMap;
use keyspace::{EventKind, Object, Removed, Sink, ValueRef};
use mio::unix::SourceFd;
use mio::{Registry, Token};
use resp::{Protocol, ReplyWriter, upgrade_nulls};
use worker::{Change, Packages, Pool, PoolSpec};

use crate::client::{Pending, Slot};
use crate::clients::INTERNAL;
use crate::config::Config;
use crate::dispatch::{self, Outcome};
use crate::function_calls;
use crate::hooks::Running;
use crate::log;
use crate::removals::{self, InPlace, Remains};
use crate::spin::Spin;
use crate::state::State;

/// The server's parameters that are options of the engine, and their names there.
const OPTIONS: [(&str, &str); 9] = [
    ("atomic-max-ms", "atomic-max-ms"),
    ("before-queue-max-bytes", "before-queue-max-bytes"),
    ("before-value-max-bytes", "before-value-max-bytes"),
    ("function-memory-bytes", "function-memory-bytes"),
    ("function-queue-max", "function-queue-max"),
    ("function-results-bytes", "function-results-bytes"),
    ("function-timeout-ms", "function-timeout-ms"),
    ("reply-compat", "ReplyCompat"),
    ("strict-registrations", "strict-registrations"),
];

/// What the server keeps for the engine.
pub(crate) struct Gears {
    /// Absent while it runs: what happens meanwhile is told afterwards.
    machine: Option<Box<Machine>>,
    interest: EventInterest,
    /// Which client waits for which call's reply.
    calls: HashMap<u64, (Slot, u64)>,
    next_call: u64,
    /// Key events caused by functions, while the engine runs.
    late_events: Vec<Late>,
    /// Keys that functions inside the running command have been told of before it deletes them.
    pub(crate) announced: Vec<Box<[u8]>>,
    /// Keys that functions are just being told of, the innermost last.
    pub(crate) going: Vec<Box<[u8]>>,
    /// Takes away what removed keys held once no function needs it.
    garbage: Rc<RefCell<Sink>>,
    /// Clients that went away meanwhile.
    gone: Vec<ClientId>,
    messages: Vec<(WorkerId, FromWorker)>,
    /// CONFIG SET came from a function: the engine is told when it has returned.
    options_are_late: bool,
    /// The revision of the engine's options that the configuration shows.
    options_seen: u64,
    pub(crate) running: Running,
    /// Calls of functions that wait as clients do.
    pub(crate) waiting_calls: HashMap<Slot, (WorkerId, CallToken)>,
    /// The client whose requests are being executed: its output is elsewhere.
    pub(crate) executing: Option<Slot>,
    /// A function has got something to do in this turn, or the reply that it waited for.
    pub(crate) expects_worker: bool,
    /// For whoever has the data to itself.
    spin: Spin,
    /// Scratch for replies to functions.
    pub(crate) wire: Vec<u8>,
}

/// What happened to a key while the engine ran.
enum Late {
    Event(&'static str, Box<[u8]>),
    Removal(Removal, Box<[u8]>, Remains),
}

struct Machine {
    engine: Engine,
    pool: Pool,
}

impl Gears {
    pub(crate) fn new(config: &Config, garbage: Rc<RefCell<Sink>>) -> Self {
        let mut options = functions::Config::default();
        for (name, option) in OPTIONS {
            options
                .load(option, config.text(name))
                .expect("the configuration has checked the value");
        }
        let interpreters = config.text("python").split_whitespace().map(OsString::from).collect();
        let warm = config.number("function-workers-warm") as usize;
        let wheels = Some(config.text("requirements-wheels")).filter(|path| !path.is_empty());
        // The working directory is `dir` by now; what packages are imported from must not depend on it.
        let directory = path::absolute("mainspring-python").ok();
        if let Some(directory) = &directory {
            options
                .load("PythonInstallationDir", &directory.to_string_lossy())
                .expect("any text will do");
        }
        let packages =
            Packages { directory, wheels: wheels.and_then(|wheels| path::absolute(wheels).ok()) };
        let pool = Pool::new(PoolSpec { interpreters, warm, packages, mailboxes: true });
        Gears {
            machine: Some(Box::new(Machine { engine: Engine::new(options), pool })),
            interest: EventInterest::default(),
            calls: HashMap::new(),
            next_call: 1,
            late_events: Vec::new(),
            announced: Vec::new(),
            going: Vec::new(),
            garbage,
            gone: Vec::new(),
            messages: Vec::new(),
            options_are_late: false,
            options_seen: 0,
            running: Running::default(),
            waiting_calls: HashMap::new(),
            executing: None,
            expects_worker: false,
            spin: Spin::new(),
            wire: Vec::new(),
        }
    }

    pub(crate) fn interest(&self) -> EventInterest {
        self.interest
    }

    pub(crate) fn has_work(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| {
            let Machine { engine, pool } = &**machine;
            engine.has_work() || engine.has_calls() || pool.has_overdue() || pool.has_unsent()
        })
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
pub(crate) fn with_engine<R>(
    state: &mut State,
    act: impl FnOnce(&mut Engine, &mut Doors) -> R,
) -> Option<R> {
    let mut machine = state.gears.machine.take()?;
    let mut host = LentState { state };
    let mut doors = Doors { host: &mut host, workers: &mut machine.pool };
    let result = act(&mut machine.engine, &mut doors);
    let inside = tell_late(&mut machine, state);
    read_back_options(&machine.engine, state);
    state.gears.machine = Some(machine);
    run_all_inside(state, inside);
    Some(result)
}

/// Events that the engine's own commands caused, and clients that went away, while it ran: in order, until there is
/// nothing new. Gives the functions that are to run with the data to themselves.
fn tell_late(machine: &mut Machine, state: &mut State) -> Vec<ExecutionId> {
    let mut inside = Vec::new();
    loop {
        let events = std::mem::take(&mut state.gears.late_events);
        let gone = std::mem::take(&mut state.gears.gone);
        let set_options = std::mem::take(&mut state.gears.options_are_late);
        if events.is_empty() && gone.is_empty() && !set_options {
            return inside;
        }
        let config = set_options.then(|| state.config.clone());
        let may_suspend = state.depth == 0;
        let mut host = LentState { state };
        let mut doors = Doors { host: &mut host, workers: &mut machine.pool };
        for event in events {
            let during = During { cause: None, may_suspend };
            inside.append(&mut match event {
                Late::Event(event, key) => {
                    machine.engine.key_event(&mut doors, event, &key, during)
                }
                Late::Removal(removal, key, remains) => {
                    let (remains, nobody) = (Box::new(remains), Announced::ToNobody);
                    machine.engine.key_removed(&mut doors, removal, &key, remains, nobody, during)
                }
            });
        }
        for client in gone {
            machine.engine.client_gone(client);
        }
        if let Some(config) = config {
            set_options_of(&mut machine.engine, &mut doors, &config);
        }
    }
}

/// CONFIG SET has changed something: the engine's options follow.
pub(crate) fn apply_config(state: &mut State) {
    let config = state.config.clone();
    let told = with_engine(state, |engine, doors| set_options_of(engine, doors, &config));
    state.gears.options_are_late |= told.is_none();
}

fn set_options_of(engine: &mut Engine, doors: &mut Doors, config: &Config) {
    for (name, option) in OPTIONS {
        engine
            .set_option(doors, option, config.text(name))
            .expect("the configuration has checked the value");
    }
}

/// The engine's options are the truth: whoever set one, CONFIG GET shows it.
fn read_back_options(engine: &Engine, state: &mut State) {
    if state.gears.options_seen == engine.config().revision() {
        return;
    }
    state.gears.options_seen = engine.config().revision();
    for (name, option) in OPTIONS {
        let value = engine.config().text(option).expect("the engine knows the option");
        state.config.set(name, &value).expect("the engine has checked the value");
    }
}

/// The reply that a client is owed for a command of the engine.
#[derive(Clone, Copy)]
pub(crate) struct Owed {
    pub(crate) client: ClientId,
    pub(crate) can_block: bool,
}

/// Whether the client can be made to wait here.
pub(crate) fn can_block(state: &State, slot: Slot) -> bool {
    let client = &state.clients[slot];
    !client.is_internal() && !client.transaction.is_open() && state.depth == 0
}

/// An RG.* command of a client, or of a function.
pub(crate) fn command(
    state: &mut State,
    slot: Slot,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    let outcome = owing(state, slot, out, |engine, doors, owed, out| {
        Some(engine.command(doors, owed.client, request, owed.can_block, out))
    });
    outcome.unwrap_or_else(|| {
        let protocol = state.clients[slot].protocol;
        ReplyWriter::new(out, protocol)
            .error(b"ERR the function engine is busy with this very call");
        Outcome::Answered
    })
}

/// Lets the engine answer a client: now, later, or when a function inside the command is over. `None`: it does not
/// answer, or it runs already.
pub(crate) fn owing(
    state: &mut State,
    slot: Slot,
    out: &mut Vec<u8>,
    act: impl FnOnce(&mut Engine, &mut Doors, Owed, &mut Vec<u8>) -> Option<Answer>,
) -> Option<Outcome> {
    let can_block = can_block(state, slot);
    let start = out.len();
    let call = state.gears.next_call;
    if can_block {
        // Registered first, for the reply may come before the engine returns.
        state.gears.next_call += 1;
        let client = &mut state.clients[slot];
        client.pending.push_back(Pending { call, wire: None });
        state.gears.calls.insert(call, (slot, client.id));
    }
    let owed = Owed { client: ClientId(call), can_block };
    let answer = with_engine(state, |engine, doors| act(engine, doors, owed, out));
    let is_late = match answer {
        Some(Some(Answer::Later)) => true,
        Some(Some(Answer::Inside(id))) => match run_inside(state, id) {
            Inside::Over(wire) => {
                out.extend_from_slice(&wire);
                false
            }
            Inside::Suspended | Inside::Runs => true,
        },
        Some(Some(Answer::Ready) | None) | None => false,
    };
    if is_late {
        // The reply may be there already. Those before it are delivered elsewhere: `out` may be for this request alone.
        let client = &mut state.clients[slot];
        if client.pending.front().is_some_and(|first| first.call == call) {
            deliver(client, out);
        }
        let is_answered = client.pending.is_empty();
        return Some(if is_answered { Outcome::Answered } else { Outcome::Waiting });
    }
    if state.clients[slot].protocol == Protocol::Resp3 {
        // The engine speaks RESP2.
        let upgraded = upgrade_nulls(&out[start..]).into_owned();
        out.truncate(start);
        out.extend_from_slice(&upgraded);
    }
    if can_block {
        state.gears.calls.remove(&call);
        state.clients[slot].pending.retain(|pending| pending.call != call);
    }
    answer.flatten().map(|_| Outcome::Answered)
}

/// Runs a function inside the command that triggered it: nobody is served but whoever has the data, until it is over.
fn run_inside(state: &mut State, id: ExecutionId) -> Inside {
    with_engine(state, |engine, doors| engine.begin_inside(doors, id));
    loop {
        let looked = with_engine(state, |engine, _| engine.look_inside(id));
        match looked.expect("the engine is back: it has told us to run this") {
            Inside::Runs => serve_borrower(state),
            over => return over,
        }
    }
}

/// Moves replies that are there, up to the first that is not, to the client's output.
pub(crate) fn deliver(client: &mut crate::client::Client, out: &mut Vec<u8>) {
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
    let during = During { cause: state.gears.running.cause, may_suspend: state.depth == 0 };
    match with_engine(state, |engine, doors| engine.key_event(doors, event, key, during)) {
        Some(inside) => run_all_inside(state, inside),
        None => state.gears.late_events.push(Late::Event(event, key.into())),
    }
}

/// A key of database 0 that is gone, and that somebody wants to know of. `announced`: functions inside the command do.
pub(crate) fn key_removed(
    state: &mut State,
    event: EventKind,
    key: &[u8],
    removed: Box<Removed>,
    announced: Announced,
) {
    let removal = removals::of_event(event);
    let remains = Remains::new(removed, Rc::clone(&state.gears.garbage));
    if state.gears.machine.is_none() {
        state.gears.late_events.push(Late::Removal(removal, key.into(), remains));
        return;
    }
    let during = During { cause: state.gears.running.cause, may_suspend: state.depth == 0 };
    let inside = with_engine(state, |engine, doors| {
        engine.key_removed(doors, removal, key, Box::new(remains), announced, during)
    });
    run_all_inside(state, inside.unwrap_or_default());
}

pub(crate) fn run_all_inside(state: &mut State, inside: Vec<ExecutionId>) {
    for id in inside {
        // What came of it stands in the registration's statistics.
        let _ended = run_inside(state, id);
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
    // A function that waits for its call's reply goes on while clients are served.
    flush(state);
}

/// Whether a function has put a call where only we look for it.
pub(crate) fn has_mail(state: &State) -> bool {
    state.gears.machine.as_ref().is_some_and(|machine| machine.pool.has_mail())
}

/// Answers calls that lie in mailboxes: a function that calls while clients are served should not wait for the turn's end.
pub(crate) fn look(state: &mut State) {
    if has_mail(state) {
        receive(state, Pool::look);
        if let Some(machine) = &mut state.gears.machine {
            machine.pool.close_mail();
        }
    }
}

/// The loop is about to sleep: nobody looks into mailboxes until it is awake. `false`: it must not sleep.
pub(crate) fn fall_asleep(state: &mut State) -> bool {
    state.gears.machine.as_mut().is_none_or(|machine| machine.pool.leave_mail())
}

pub(crate) fn wake_up(state: &mut State) {
    if let Some(machine) = &mut state.gears.machine {
        machine.pool.attend_mail();
    }
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
    function_calls::run(state);
}

/// The engine's share of a turn: what it set aside, what is due, some reading, then everything goes out.
pub(crate) fn turn(state: &mut State, budget_us: u64) {
    if state.gears.machine.as_ref().is_some_and(|machine| machine.pool.has_overdue()) {
        receive(state, Pool::overdue);
    }
    tick_if_due(state);
    function_calls::run(state);
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

pub(crate) fn flush(state: &mut State) {
    let now_ms = state.clock.unix_ms();
    if let Some(machine) = &mut state.gears.machine {
        state.gears.expects_worker |= machine.pool.flush(now_ms);
        for (level, line) in machine.pool.take_log() {
            log::write(log_level(level), &format!("GEARS: {line}"));
        }
    }
}

/// Nobody but one worker is served until it lets go of the data, dies or is cut off.
fn serve_lease(state: &mut State) {
    while state.gears.machine.as_ref().is_some_and(|machine| machine.engine.lease().is_some()) {
        state.tick();
        serve_borrower(state);
    }
    function_calls::run(state);
    flush(state);
}

/// Serves the worker that has the data, until it has said something.
fn serve_borrower(state: &mut State) {
    tick_if_due(state);
    flush(state);
    let Some(machine) = &state.gears.machine else { return };
    let Some(lease) = machine.engine.lease() else { return };
    let now_ms = state.clock.unix_ms();
    let due_ms = machine.engine.next_deadline_ms().unwrap_or(lease.until_ms);
    let left_ms = (due_ms - now_ms).clamp(0, 1000) as u64;
    let mut spin = state.gears.spin;
    receive(state, |pool, sink| {
        let mut wait = |timeout| pool.wait_one(lease.worker, timeout, sink);
        if !spin
            .look(|| Ok::<_, Infallible>(wait(Duration::ZERO)))
            .unwrap_or_else(|never| match never {})
        {
            wait(Duration::from_millis(left_ms));
        }
    });
    state.gears.spin = spin;
    state.clock.tick();
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

    fn turn_us(&self) -> u64 {
        self.state.clock.turn_us()
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
        let wire = match waiting.protocol {
            Protocol::Resp2 => wire.to_vec(),
            Protocol::Resp3 => upgrade_nulls(wire).into_owned(),
        };
        let Some(pending) = waiting.pending.iter_mut().find(|pending| pending.call == client.0)
        else {
            return;
        };
        pending.wire = Some(wire);
        if self.state.gears.executing == Some(slot) {
            if waiting.pending.iter().all(|pending| pending.wire.is_some()) {
                self.state.clients.resume(slot);
            }
            return;
        }
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

    fn watch_removals(&mut self, wanted: &[RemovalInterest]) {
        self.state.keyspace.want_removed(removals::wanted(wanted));
        let foreseen: &[&str] = if removals::foresees(wanted) { &removals::FORESEEN } else { &[] };
        self.state.table.foretell(foreseen);
    }

    fn look(&mut self, key: &[u8], visit: &mut dyn FnMut(Option<&dyn host::Remains>)) {
        let mut database = self.state.keyspace.database(0);
        let expiry = database.expiry(key).flatten();
        match database.value(key) {
            Some(value) => visit(Some(&InPlace { value, expiry })),
            None => visit(None),
        }
    }

    fn event_names(&self) -> Vec<&'static str> {
        let of_redis = EventKind::ALL.iter().map(|kind| kind.name);
        of_redis.chain(Removal::ALL.map(Removal::event)).collect()
    }

    fn command_facts(&mut self, name: &[u8]) -> Option<CommandFacts> {
        let spec = &self.state.table.entry(self.state.table.by_name(name)?).spec;
        let (first_key, _, key_step) = spec.keys.legacy();
        Some(CommandFacts {
            no_script: spec.flags.contains(Flags::NO_SCRIPT),
            movable_keys: spec.keys.are_movable(),
            first_key,
            key_step,
        })
    }

    fn watch_commands(&mut self, hooked: &[&str], caused: &[&str]) {
        self.state.table.mind(hooked, caused);
    }

    fn cancel_call(&mut self, worker: WorkerId, token: CallToken) {
        function_calls::cancel(self.state, (worker, token));
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
        ValueRef::Object(Object::Set(_)) => visit(Value::Opaque("set")),
        ValueRef::Object(Object::SortedSet(_)) => visit(Value::Opaque("zset")),
        ValueRef::Object(Object::Stream(_)) => visit(Value::Opaque("unknown")),
        whole => removals::show(whole, visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_defaults_are_the_engine_s() {
        let (ours, theirs) = (Config::default(), functions::Config::default());
        for (name, option) in OPTIONS {
            assert_eq!(Some(ours.text(name)), theirs.text(option).as_deref(), "{name}");
        }
    }

    #[test]
    fn every_event_that_functions_may_name_is_explained() {
        let page = include_str!("../../../docs/events.md");
        let of_functions = Removal::ALL.map(Removal::event);
        let names = EventKind::ALL.iter().map(|kind| kind.name).chain(of_functions);
        let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn what_the_engine_takes_the_configuration_takes() {
        let mut config = Config::default();
        for (name, value) in [
            ("atomic-max-ms", i64::MAX),
            ("before-queue-max-bytes", 0),
            ("before-value-max-bytes", i64::MAX),
            ("function-memory-bytes", i64::MAX),
            ("function-queue-max", 1),
            ("function-results-bytes", 0),
            ("function-timeout-ms", 0),
        ] {
            assert_eq!(config.set(name, &value.to_string()), Ok(()), "{name}");
        }
    }
}
