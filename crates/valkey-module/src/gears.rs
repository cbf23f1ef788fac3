//! The function engine in this server: the engine's two doors, and its place in the loop's turn.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use functions::host::{ClientId, Value};
use functions::worker::{ExecutionId, FromWorker, WorkerId};
use functions::{Answer, Doors, During, Engine, Inside};
use worker::{Change, Interest, Pool};

use crate::api::{self, Context, EventClasses, Readiness, Timer};
use crate::calls::Calls;
use crate::entry::BROKEN;
use crate::host::{self, LentServer};
use crate::options::Options;
use crate::{reply, value};

/// What the engine may take of a turn before clients are served again.
const BUDGET_US: u64 = 1000;

/// How long a descriptor that the loop has no room for may wait.
const UNWATCHED_INTERVAL_MS: i64 = 5;

/// Functions that an event triggers run when its command is over; nobody waits for a suspended one.
const DURING: During = During { cause: None, may_suspend: true };

/// Everything is borrowed for a moment only and never while a function of the server runs: it may call us from there.
pub(crate) struct Gears {
    /// In database 0, of no client.
    pub(crate) server: Context<'static>,
    pub(crate) calls: Calls,
    seat: RefCell<Seat>,
    /// Keyspace events that the engine wants, and those that the server was asked for: there is no way back on Redis 7.
    wanted: Cell<EventClasses>,
    subscribed: Cell<EventClasses>,
    /// A key is being read for the engine. Redis 7.0 announces it as a miss if it is not there.
    reading: Cell<bool>,
    /// Told when the engine has done what it is doing.
    late_events: RefCell<Vec<KeyEvent>>,
    gone: RefCell<Vec<ClientId>>,
    /// Functions with mode='sync' that keyspace events have triggered.
    triggered: RefCell<VecDeque<ExecutionId>>,
    /// Descriptors of workers that are ready. A set: while a script is busy, the server looks at them again and again.
    ready: RefCell<BTreeSet<u64>>,
    /// Descriptors that the server's loop has no room for: looked at in every turn.
    unwatched: RefCell<BTreeSet<u64>>,
    timer: Cell<Option<(i64, Timer)>>,
    /// The loop was told not to sleep and has not had its turn yet.
    waking: Cell<bool>,
    started: Instant,
}

struct KeyEvent {
    name: Box<str>,
    key: Box<[u8]>,
}

struct Machine {
    engine: Engine,
    pool: Pool,
}

/// Where the engine is.
enum Seat {
    Idle(Box<Machine>),
    /// What happens meanwhile is told afterwards.
    Running,
    /// It panicked: whatever it held cannot be relied on.
    Broken,
    /// The server ends.
    Ended,
}

/// Takes the engine, and brings it back however the call ends.
struct Taken<'a> {
    gears: &'a Gears,
    machine: Option<Box<Machine>>,
}

impl<'a> Taken<'a> {
    fn from(gears: &'a Gears) -> Option<Self> {
        let mut seat = gears.seat.borrow_mut();
        if !matches!(*seat, Seat::Idle(_)) {
            return None;
        }
        match std::mem::replace(&mut *seat, Seat::Running) {
            Seat::Idle(machine) => Some(Taken { gears, machine: Some(machine) }),
            Seat::Running | Seat::Broken | Seat::Ended => unreachable!("it was idle a moment ago"),
        }
    }

    fn machine(&mut self) -> &mut Machine {
        self.machine.as_mut().expect("it is there until the end")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(machine) = self.machine.take() {
            self.gears.seat.replace(Seat::Idle(machine));
        }
    }
}

impl Gears {
    pub(crate) fn new(server: Context<'static>, options: Options) -> Self {
        let machine =
            Machine { engine: Engine::new(options.engine), pool: Pool::new(options.pool) };
        Gears {
            server,
            calls: Calls::new(),
            seat: RefCell::new(Seat::Idle(Box::new(machine))),
            wanted: Cell::new(EventClasses::NONE),
            subscribed: Cell::new(EventClasses::NONE),
            reading: Cell::new(false),
            late_events: RefCell::default(),
            gone: RefCell::default(),
            triggered: RefCell::default(),
            ready: RefCell::default(),
            unwatched: RefCell::default(),
            timer: Cell::new(None),
            waking: Cell::new(false),
            started: Instant::now(),
        }
    }

    pub(crate) fn monotonic_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("it does not run that long")
    }

    /// Lends the doors to the engine, then tells it what happened meanwhile. `None` if it runs already, or never again.
    fn with_engine<R>(&self, act: impl FnOnce(&mut Engine, &mut Doors) -> R) -> Option<R> {
        let mut taken = Taken::from(self)?;
        let Machine { engine, pool } = taken.machine();
        let mut host = LentServer { gears: self, now_ms: unix_ms() };
        let mut doors = Doors { host: &mut host, workers: pool };
        let result = act(engine, &mut doors);
        self.tell_late(engine, &mut doors);
        Some(result)
    }

    /// Events that functions caused, and clients that went away, while the engine ran: in order, until there is nothing new.
    fn tell_late(&self, engine: &mut Engine, doors: &mut Doors) {
        loop {
            let (events, gone) = (self.late_events.take(), self.gone.take());
            if events.is_empty() && gone.is_empty() {
                return;
            }
            for event in events {
                let inside = engine.key_event(doors, &event.name, &event.key, DURING);
                self.triggered.borrow_mut().extend(inside);
            }
            for client in gone {
                engine.client_gone(client);
            }
        }
    }

    /// The pool alone: it calls no function of the server.
    fn with_pool<R>(&self, act: impl FnOnce(&mut Pool) -> R) -> Option<R> {
        match &mut *self.seat.borrow_mut() {
            Seat::Idle(machine) => Some(act(&mut machine.pool)),
            Seat::Running | Seat::Broken | Seat::Ended => None,
        }
    }

    fn ask<R>(&self, question: impl FnOnce(&Engine, &Pool) -> R) -> Option<R> {
        match &*self.seat.borrow() {
            Seat::Idle(machine) => Some(question(&machine.engine, &machine.pool)),
            Seat::Running | Seat::Broken | Seat::Ended => None,
        }
    }
}

/// What the server tells.
impl Gears {
    /// An RG.* command of a client.
    pub(crate) fn command(&self, context: &Context, request: &[&[u8]]) {
        match &*self.seat.borrow() {
            Seat::Idle(_) => {}
            Seat::Running => {
                context.reply_error(b"ERR the function engine is busy with this very call");
                return;
            }
            Seat::Broken | Seat::Ended => {
                context.reply_error(BROKEN.as_bytes());
                return;
            }
        }
        let can_block = context.surroundings().may_block();
        let call = self.calls.open();
        let mut wire = Vec::new();
        let answer = self.with_engine(|engine, doors| {
            engine.command(doors, ClientId(call), request, can_block, &mut wire)
        });
        match answer {
            Some(Answer::Later) => self.calls.wait(call, context),
            Some(Answer::Inside(id)) => match self.run_inside(id) {
                Inside::Over(wire) => {
                    self.calls.close(call);
                    reply::send(context, &wire);
                }
                Inside::Suspended | Inside::Runs => self.calls.wait(call, context),
            },
            Some(Answer::Ready) | None => {
                self.calls.close(call);
                reply::send(context, &wire);
            }
        }
    }

    /// Events of classes nobody has asked for yet are subscribed to; what is not wanted any more is passed over.
    pub(crate) fn watch_events(&self, classes: EventClasses) {
        self.wanted.set(classes);
        let new = classes.without(self.subscribed.get());
        if new == EventClasses::NONE {
            return;
        }
        match self.server.subscribe_to_key_events(new) {
            Ok(()) => self.subscribed.set(self.subscribed.get().and(new)),
            Err(_) => self.server.log(c"warning", "The server refuses keyspace events"),
        }
    }

    pub(crate) fn wants_events(&self) -> bool {
        self.wanted.get() != EventClasses::NONE
    }

    /// Shows a key's value to the engine. Nobody has missed what only the engine looked for.
    pub(crate) fn show(&self, key: &[u8], visit: &mut dyn FnMut(Value<'_>)) {
        self.reading.set(true);
        value::show(&self.server, key, &mut |value| {
            self.reading.set(false);
            visit(value);
        });
    }

    /// A keyspace event of database 0.
    ///
    /// Nothing may be written while the server hands it in: functions that are to run inside the command run when it is
    /// over. Redis 7.0 does not tell when, so there they run before the loop sleeps: still before the client has its reply,
    /// but after other clients' commands of the same turn.
    pub(crate) fn key_event(&self, context: &Context, event: &str, key: &[u8]) {
        if self.reading.get() && event == "keymiss" {
            return;
        }
        let inside = self.with_engine(|engine, doors| engine.key_event(doors, event, key, DURING));
        match inside {
            Some(inside) => self.triggered.borrow_mut().extend(inside),
            None => {
                let event = KeyEvent { name: event.into(), key: key.into() };
                self.late_events.borrow_mut().push(event);
            }
        }
        if !self.triggered.borrow().is_empty() {
            // If the server cannot, the end of the turn does it.
            let _ = context.when_command_is_over();
        }
    }

    /// Nobody waits for this client's reply any more.
    pub(crate) fn client_gone(&self, client: usize) {
        if let Some(call) = self.calls.disconnected(client) {
            self.gone.borrow_mut().push(ClientId(call));
            self.with_engine(|_, _| {});
        }
    }

    pub(crate) fn note_ready(&self, token: u64) {
        self.ready.borrow_mut().insert(token);
    }

    pub(crate) fn note_woken(&self) {
        self.waking.set(false);
    }

    pub(crate) fn note_timer_fired(&self) {
        self.timer.set(None);
    }

    /// The lines of INFO's section.
    pub(crate) fn info(&self) -> String {
        let mut text = String::new();
        self.with_engine(|engine, doors| engine.info(doors, &mut text));
        text
    }
}

/// Functions inside commands, and commands inside functions.
impl Gears {
    /// Runs a function inside the command that triggered it: nobody is served but whoever has the data, until it is over.
    fn run_inside(&self, id: ExecutionId) -> Inside {
        self.with_engine(|engine, doors| engine.begin_inside(doors, id));
        loop {
            match self.with_engine(|engine, _| engine.look_inside(id)) {
                Some(Inside::Runs) => self.serve_borrower(),
                Some(over) => return over,
                None => return Inside::Over(format!("-{BROKEN}\r\n").into_bytes()),
            }
        }
    }

    /// Runs what keyspace events have triggered, one after the other.
    pub(crate) fn run_triggered(&self) {
        while let Some(id) = self.take_triggered() {
            // What came of it stands in the registration's statistics.
            let _ended = self.run_inside(id);
        }
    }

    /// None while the engine runs: it comes back to them.
    fn take_triggered(&self) -> Option<ExecutionId> {
        self.ask(|_, _| self.triggered.borrow_mut().pop_front()).flatten()
    }

    /// Runs the calls of functions whose turn it is. One that would block answers as inside MULTI.
    fn run_calls(&self) {
        while let Some(Some(call)) = self.with_engine(Engine::next_call) {
            let args: Vec<&[u8]> = call.args.iter().map(Vec::as_slice).collect();
            let mut wire = Vec::new();
            match host::about_connection(&args) {
                Some(name) => {
                    let refusal = format!("-ERR '{name}' is not allowed from a function\r\n");
                    wire.extend_from_slice(refusal.as_bytes());
                }
                None => self.server.call(&args, &mut wire),
            }
            // As on servers that tell when a command is over: what it has triggered runs before its caller goes on.
            self.run_triggered();
            self.with_engine(|engine, doors| engine.answer_call(doors, call.name(), &wire));
        }
    }
}

/// The turn.
impl Gears {
    /// The loop is about to sleep: what workers said, what is due, some reading, then everything goes out.
    pub(crate) fn turn(&self) {
        let mut ready = self.ready.take();
        ready.extend(&*self.unwatched.borrow());
        self.receive(|pool, sink| {
            for token in ready {
                pool.ready(token, sink);
            }
            if pool.has_overdue() {
                pool.overdue(sink);
            }
        });
        self.tick_if_due();
        self.run_triggered();
        self.run_calls();
        if self.ask(|engine, _| engine.has_work()) == Some(true) {
            self.with_engine(|engine, doors| engine.work(doors, BUDGET_US));
        }
        self.flush();
        self.serve_lease();
        self.watch_descriptors();
        self.set_timer();
        self.stay_awake();
    }

    /// Takes messages out of the pool, then hands them to the engine.
    fn receive(&self, read: impl FnOnce(&mut Pool, &mut dyn FnMut(WorkerId, FromWorker))) {
        let mut messages = Vec::new();
        self.with_pool(|pool| {
            read(pool, &mut |worker, message| messages.push((worker, message)));
        });
        if messages.is_empty() {
            return;
        }
        self.with_engine(|engine, doors| {
            for (worker, message) in messages {
                engine.from_worker(doors, worker, message);
            }
        });
        self.run_calls();
    }

    fn tick_if_due(&self) {
        let deadline_ms = self.ask(|engine, _| engine.next_deadline_ms()).flatten();
        if deadline_ms.is_some_and(|deadline_ms| deadline_ms <= unix_ms()) {
            self.with_engine(Engine::tick);
        }
    }

    fn flush(&self) {
        let now_ms = unix_ms();
        let said = self.with_pool(|pool| {
            pool.flush(now_ms);
            pool.take_log().collect::<Vec<_>>()
        });
        for (level, line) in said.into_iter().flatten() {
            host::log(&self.server, level, &format!("GEARS: {line}"));
        }
    }

    /// Nobody but one worker is served until it lets go of the data, dies or is cut off.
    fn serve_lease(&self) {
        while self.ask(|engine, _| engine.lease().is_some()) == Some(true) {
            self.serve_borrower();
        }
        self.run_calls();
        self.flush();
    }

    /// Serves the worker that has the data, until it has said something.
    fn serve_borrower(&self) {
        self.tick_if_due();
        self.flush();
        let lease = self.ask(|engine, _| Some((engine.lease()?, engine.next_deadline_ms())));
        let Some((lease, deadline_ms)) = lease.flatten() else { return };
        let left_ms = deadline_ms.unwrap_or(lease.until_ms) - unix_ms();
        let left = Duration::from_millis(left_ms.clamp(0, 1000).unsigned_abs());
        self.receive(|pool, sink| {
            pool.wait_one(lease.worker, left, sink);
        });
    }

    /// Tells the loop which descriptors of workers came, changed or went.
    fn watch_descriptors(&self) {
        for change in self.with_pool(Pool::take_changes).unwrap_or_default() {
            match change {
                Change::Watch { fd, token, interest } => {
                    self.watch(fd, token, Readiness::Read);
                    if interest == Interest::ReadWrite {
                        self.watch(fd, token, Readiness::Write);
                    }
                }
                Change::Modify { fd, token, interest: Interest::ReadWrite } => {
                    self.watch(fd, token, Readiness::Write);
                }
                // Whatever was not watched need not be let go of, here and below.
                Change::Modify { fd, interest: Interest::Read, .. } => {
                    let _ = api::unwatch(fd, Readiness::Write);
                }
                Change::Forget { fd, token } => {
                    let _ = api::unwatch(fd.as_raw_fd(), Readiness::Read);
                    let _ = api::unwatch(fd.as_raw_fd(), Readiness::Write);
                    self.unwatched.borrow_mut().remove(&token);
                }
            }
        }
    }

    /// The loop has room for as many descriptors as `maxclients` says, and some more.
    fn watch(&self, fd: RawFd, token: u64, readiness: Readiness) {
        if api::watch(fd, token, readiness).is_err() && self.unwatched.borrow_mut().insert(token) {
            self.server.log(
                c"warning",
                "The server's loop has no room for a worker's descriptor, so functions are slow; raise maxclients",
            );
        }
    }

    /// The loop shall not sleep past the engine's next deadline.
    fn set_timer(&self) {
        let deadline_ms = self.ask(|engine, _| engine.next_deadline_ms()).flatten();
        let look_ms =
            (!self.unwatched.borrow().is_empty()).then(|| unix_ms() + UNWATCHED_INTERVAL_MS);
        let deadline_ms = [deadline_ms, look_ms].into_iter().flatten().min();
        let timer = self.timer.get();
        if deadline_ms == timer.map(|(at_ms, _)| at_ms) {
            return;
        }
        if let Some((_, timer)) = timer {
            self.server.stop_timer(timer);
        }
        self.timer.set(
            deadline_ms.map(|at_ms| (at_ms, self.server.start_timer((at_ms - unix_ms()).max(0)))),
        );
    }

    /// With work left, the loop looks after its clients and comes back at once.
    fn stay_awake(&self) {
        let has_work = self.ask(|engine, pool| {
            engine.has_work() || engine.has_calls() || pool.has_overdue() || pool.has_unsent()
        });
        if has_work == Some(true) && !self.waking.get() {
            self.waking.set(api::wake_loop().is_ok());
        }
    }
}

/// The end.
impl Gears {
    /// Before the server exits.
    pub(crate) fn end(&self) {
        self.stop(Seat::Ended);
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.seat.borrow(), Seat::Ended)
    }

    /// Ends all workers, and lets go of the server's loop.
    fn stop(&self, seat: Seat) {
        self.with_pool(Pool::shutdown);
        self.watch_descriptors();
        if let Ok(mut before) = self.seat.try_borrow_mut() {
            *before = seat;
        }
        self.wanted.set(EventClasses::NONE);
        self.unwatched.borrow_mut().clear();
        if let Some((_, timer)) = self.timer.take() {
            self.server.stop_timer(timer);
        }
    }

    /// After a panic: everybody who waits is answered, and the server goes on without functions.
    pub(crate) fn give_up(&self) {
        self.stop(Seat::Broken);
        self.calls.close_all();
        self.triggered.borrow_mut().clear();
        for call in self.calls.waiting() {
            self.calls.answer(call, format!("-{BROKEN}\r\n").as_bytes());
        }
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("the year is not that late")
}
