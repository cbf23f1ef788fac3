//! Commands that functions call: `execute()`.
//!
//! A command that blocks may block the calling thread of the worker: it waits here as a client does, but for a socket.

use functions::FunctionCall;
use functions::worker::{Token, WorkerId};

use crate::blocking;
use crate::client::{Address, Slot};
use crate::clients::INTERNAL;
use crate::dispatch::{self, Outcome};
use crate::gears::{self, with_engine};
use crate::hooks::Running;
use crate::state::State;

/// Runs the calls whose turn it is.
pub(crate) fn run(state: &mut State) {
    while let Some(Some(call)) = with_engine(state, |engine, doors| engine.next_call(doors)) {
        let args: Vec<&[u8]> = call.args.iter().map(Vec::as_slice).collect();
        if call.may_wait && state.depth == 0 && dispatch::is_blocking(state, &args) {
            run_as_client(state, &call, &args);
            continue;
        }
        let running = Running { cause: None, below: call.below };
        let outer = std::mem::replace(&mut state.gears.running, running);
        let mut wire = std::mem::take(&mut state.gears.wire);
        wire.clear();
        dispatch::call_internal(state, INTERNAL, &args, &mut wire);
        with_engine(state, |engine, doors| engine.answer_call(doors, call.name(), &wire));
        state.gears.wire = wire;
        state.gears.expects_worker = true;
        state.gears.running = outer;
    }
}

fn run_as_client(state: &mut State, call: &FunctionCall, args: &[&[u8]]) {
    let slot = state.clients.add(Address::Function, state.clock.unix_ms(), true);
    let mut wire = Vec::new();
    if dispatch::call_waiting(state, slot, args, &mut wire) == Outcome::Waiting {
        state.gears.waiting_calls.insert(slot, call.name());
        with_engine(state, |engine, _| engine.call_waits(call));
        return;
    }
    state.clients.remove(slot);
    with_engine(state, |engine, doors| engine.answer_call(doors, call.name(), &wire));
}

/// A client waits no more: whether it was a function's call, which then has its reply.
pub(crate) fn resumed(state: &mut State, slot: Slot) -> bool {
    let Some(name) = state.gears.waiting_calls.remove(&slot) else { return false };
    let Some(client) = state.clients.remove(slot) else { return true };
    with_engine(state, |engine, doors| engine.answer_call(doors, name, &client.output));
    gears::flush(state);
    true
}

/// Nobody wants the reply any more; what would have been taken stays where it is.
pub(crate) fn cancel(state: &mut State, name: (WorkerId, Token)) {
    let mut waiting = state.gears.waiting_calls.iter();
    let Some((slot, _)) = waiting.find(|(_, other)| **other == name) else { return };
    let slot = *slot;
    state.gears.waiting_calls.remove(&slot);
    blocking::release(&mut state.blocking, &mut state.keyspace, &mut state.clients, slot);
    state.clients.remove(slot);
}
