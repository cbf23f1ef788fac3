//! The function engine in this server: the engine's two doors, and its place in the loop's turn.

mod end;
mod inside;
mod turn;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use functions::host::{ClientId, Value};
use functions::worker::ExecutionId;
use functions::{Answer, Doors, During, Engine, Inside};
use worker::Pool;

use crate::api::{Context, EventClasses, Timer};
use crate::calls::Calls;
use crate::entry::BROKEN;
use crate::host::LentServer;
use crate::options::Options;
use crate::{reply, value};

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
                engine.client_gone(doors, client);
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
        let inside = self.with_engine(|engine, doors| {
            let inside = engine.key_event(doors, event, key, DURING);
            engine.hold_nobody();
            inside
        });
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

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("the year is not that late")
}
