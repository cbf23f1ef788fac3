//! The function engine in this server: the engine's two doors, its commands, its place in the loop's turn.

mod descriptors;
mod events;
mod host;
mod inside;
mod options;
mod replies;
mod turn;

use std::cell::RefCell;
use std::ffi::OsString;
use std::path;
use std::rc::Rc;

use functions::host::{ClientId, EventInterest};
use functions::worker::{FromWorker, Token as CallToken, WorkerId};
use functions::{Doors, Engine};
use hashbrown::HashMap;
use keyspace::Sink;
use worker::{Environment, Packages, Pool, PoolSpec};

use crate::client::Slot;
use crate::config::Config;
use crate::hooks::Running;
use crate::spin::Spin;
use crate::state::State;

use events::Late;
use host::LentState;

pub(crate) use descriptors::watch;
pub(crate) use events::{client_gone, key_event, key_removed};
pub(crate) use inside::run_all_inside;
pub(crate) use options::apply_config;
pub(crate) use replies::{can_block, command, deliver, forget_call, name_call, owing};
pub(crate) use turn::{fall_asleep, flush, has_mail, look, turn, wake_up, worker_ready};

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
    /// Events of the client's command have found full queues.
    pub(crate) found_full: bool,
    /// Full queues may refuse writes.
    pub(crate) refuses_writes: bool,
    /// A function has got something to do in this turn, or the reply that it waited for.
    pub(crate) expects_worker: bool,
    /// For whoever has the data to itself.
    spin: Spin,
    /// Scratch for replies to functions.
    pub(crate) wire: Vec<u8>,
}

struct Machine {
    engine: Engine,
    pool: Pool,
}

impl Gears {
    pub(crate) fn new(config: &Config, garbage: Rc<RefCell<Sink>>) -> Self {
        let mut options = options::of(config);
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
        let mut environment = Environment::default();
        if config.text("function-inherit-env") == "no" {
            environment.keep_needed(|name| std::env::var_os(name));
        }
        for variable in config.lines("function-env") {
            environment.set(variable);
        }
        let pool =
            Pool::new(PoolSpec { interpreters, warm, packages, environment, mailboxes: true });
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
            found_full: false,
            refuses_writes: false,
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
    let inside = events::tell_late(&mut machine, state);
    options::read_back(&machine.engine, state);
    note_queues(&mut machine.engine, state);
    state.gears.machine = Some(machine);
    run_all_inside(state, inside);
    Some(result)
}

/// Only a client whose request is being executed can be made to wait; functions, expiry and eviction cannot.
fn note_queues(engine: &mut Engine, state: &mut State) {
    state.gears.refuses_writes = engine.may_refuse_writes();
    if engine.has_found_full_queues() {
        match state.gears.executing {
            Some(_) => state.gears.found_full = true,
            None => engine.hold_nobody(),
        }
    }
}

/// Asks the engine, unless it runs.
pub(crate) fn ask<R>(state: &State, question: impl FnOnce(&Engine) -> R) -> Option<R> {
    state.gears.machine.as_ref().map(|machine| question(&machine.engine))
}

/// INFO's rg section.
pub(crate) fn info(state: &mut State) -> String {
    let mut text = String::new();
    with_engine(state, |engine, doors| engine.info(doors, &mut text));
    text
}
