//! Clients that write faster than functions follow.
//!
//! A client whose command caused events that found a function's queue full executes nothing more until there is room.
//! Where a registration would rather have writes refused, a guard asks here before they run.

use command_spec::Flags;
use functions::host::ClientId;

use crate::client::Slot;
use crate::gears::{self, with_engine};
use crate::state::State;

/// The client's command is over, and its events have found full queues.
#[cold]
pub(crate) fn hold(state: &mut State, slot: Slot) {
    let call = gears::name_call(state, slot);
    let is_held = with_engine(state, |engine, _| engine.hold(ClientId(call)));
    state.gears.found_full = false;
    if is_held == Some(true) {
        state.clients[slot].held = Some(call);
    } else {
        gears::forget_call(state, call);
    }
}

/// Why a command may not run now.
#[cold]
pub(crate) fn refusal(
    state: &State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
) -> Option<String> {
    if state.clients[slot].database != 0 {
        return None;
    }
    if state.table.entry(entry).spec.name != "exec" {
        return refusal_of(state, entry, request);
    }
    let queued = state.clients[slot].transaction.queue.iter().flatten();
    queued.into_iter().find_map(|queued| {
        let request: Vec<&[u8]> = queued.request.iter().map(Vec::as_slice).collect();
        refusal_of(state, queued.entry, &request)
    })
}

fn refusal_of(state: &State, entry: usize, request: &[&[u8]]) -> Option<String> {
    let spec = &state.table.entry(entry).spec;
    if !spec.flags.contains(Flags::WRITE) {
        return None;
    }
    let positions = spec.keys.positions(request).ok()?;
    gears::ask(state, |engine| engine.refusal(positions.iter().map(|position| request[*position])))?
}
