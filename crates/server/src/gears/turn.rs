//! The engine's share of the loop: what workers say, what is due, and what goes out to them.

use functions::Engine;
use functions::worker::{FromWorker, WorkerId};
use worker::Pool;

use super::host::log_level;
use super::inside::serve_lease;
use super::with_engine;
use crate::function_calls;
use crate::log;
use crate::state::State;

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
            if machine.pool.has_unsent() {
                // What comes next of a stream, for one.
                flush(state);
            }
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
pub(super) fn receive(
    state: &mut State,
    read: impl FnOnce(&mut Pool, &mut dyn FnMut(WorkerId, FromWorker)),
) {
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

pub(super) fn tick_if_due(state: &mut State) {
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
