//! Commands that functions mind: those with hooks, those whose events functions wait for, and those that delete keys which
//! functions want to see before.
//!
//! A flag on the command's entry says so; every other command passes by at the price of a look at it.

use functions::{CauseId, HookedCall, RegistrationNumber};

use crate::client::Slot;
use crate::dispatch::{self, Outcome};
use crate::gears::{self, with_engine};
use crate::removals;
use crate::state::State;

/// What is known of the command that runs.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Functions wait for its events.
    pub(crate) cause: Option<CauseId>,
    /// It is the next of this hook: newer ones do not apply.
    pub(crate) below: Option<RegistrationNumber>,
}

/// Runs a minded command: what waits for its events is outermost, then come its hooks, then itself.
pub(crate) fn call(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    if !state.table.entry(entry).caused {
        return call_hooked(state, slot, entry, request, out);
    }
    let command = container_of(state.table.entry(entry).spec.name);
    let can_block = gears::can_block(state, slot);
    let begins = with_engine(state, |engine, _| engine.command_begins(command, request, can_block));
    // Without an engine it is the engine that calls.
    let Some(cause) = begins else { return call_hooked(state, slot, entry, request, out) };

    let start = out.len();
    let outer = state.gears.running.cause.replace(cause);
    let outcome = call_hooked(state, slot, entry, request, out);
    state.gears.running.cause = outer;
    let own_reply = out.split_off(start);
    let ended = gears::owing(state, slot, out, |engine, _, owed, out| {
        if outcome == Outcome::Waiting {
            // Its events come when nobody looks any more.
            engine.command_ended(cause, owed.client, &own_reply, &mut Vec::new());
            return None;
        }
        Some(engine.command_ended(cause, owed.client, &own_reply, out))
    });
    ended.unwrap_or(outcome)
}

fn call_hooked(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    let found = state.table.entry(entry);
    let below = state.gears.running.below.take();
    if !found.hooked {
        return call_foretold(state, slot, entry, request, out);
    }
    let command = container_of(found.spec.name);
    let positions = found.spec.keys.positions(request).unwrap_or_default();
    let keys: Vec<&[u8]> = positions.into_iter().map(|position| request[position]).collect();
    let hooked = gears::owing(state, slot, out, |engine, doors, owed, out| {
        let (client, can_block) = (owed.client, owed.can_block);
        let call = HookedCall { client, command, args: request, keys: &keys, below, can_block };
        engine.hook(doors, call, out)
    });
    match hooked {
        Some(outcome) => outcome,
        None => call_foretold(state, slot, entry, request, out),
    }
}

/// The command itself, after a word to the functions that want to see its keys before they go.
fn call_foretold(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    if state.table.entry(entry).foretold {
        state.gears.announced = removals::announce(state, slot, entry, request);
    }
    let outcome = dispatch::call_itself(state, slot, entry, request, out);
    // It may have found nothing to delete any more.
    state.gears.announced.clear();
    outcome
}

/// A hook is on all subcommands or on none.
fn container_of(name: &'static str) -> &'static str {
    name.split_once('|').map_or(name, |(container, _)| container)
}
