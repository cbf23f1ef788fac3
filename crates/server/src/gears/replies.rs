//! Replies that the engine owes to clients: now, later, or when a function inside the command is over.

use functions::host::ClientId;
use functions::{Answer, Doors, Engine, Inside};
use resp::{Protocol, ReplyWriter, upgrade_nulls};

use super::inside::run_inside;
use super::with_engine;
use crate::client::{Client, Pending, Slot};
use crate::dispatch::Outcome;
use crate::state::State;

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

/// The engine knows a client that waits by the name of its call.
pub(crate) fn name_call(state: &mut State, slot: Slot) -> u64 {
    let call = state.gears.next_call;
    state.gears.next_call += 1;
    state.gears.calls.insert(call, (slot, state.clients[slot].id));
    call
}

pub(crate) fn forget_call(state: &mut State, call: u64) {
    state.gears.calls.remove(&call);
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
        name_call(state, slot);
        state.clients[slot].pending.push_back(Pending { call, wire: None });
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

/// A reply that was owed.
pub(super) fn reply(state: &mut State, client: ClientId, wire: &[u8]) {
    let Some((slot, id)) = state.gears.calls.remove(&client.0) else { return };
    let Some(waiting) = state.clients.get_mut(slot).filter(|waiting| waiting.id == id) else {
        return;
    };
    let wire = match waiting.protocol {
        Protocol::Resp2 => wire.to_vec(),
        Protocol::Resp3 => upgrade_nulls(wire).into_owned(),
    };
    let Some(pending) = waiting.pending.iter_mut().find(|pending| pending.call == client.0) else {
        return;
    };
    pending.wire = Some(wire);
    if state.gears.executing == Some(slot) {
        if waiting.pending.iter().all(|pending| pending.wire.is_some()) {
            state.clients.resume(slot);
        }
        return;
    }
    let mut out = std::mem::take(&mut waiting.output);
    deliver(waiting, &mut out);
    waiting.output = out;
    let is_free = waiting.pending.is_empty();
    state.clients.mark_output(slot);
    if is_free {
        state.clients.resume(slot);
    }
}

/// The client was held, and goes on.
pub(super) fn release(state: &mut State, client: ClientId) {
    let Some((slot, id)) = state.gears.calls.remove(&client.0) else { return };
    if let Some(held) = state.clients.get_mut(slot).filter(|held| held.id == id) {
        held.held = None;
        state.clients.resume(slot);
    }
}

/// Moves replies that are there, up to the first that is not, to the client's output.
pub(crate) fn deliver(client: &mut Client, out: &mut Vec<u8>) {
    while let Some(Pending { wire: Some(_), .. }) = client.pending.front() {
        if let Some(Pending { wire: Some(wire), .. }) = client.pending.pop_front() {
            out.extend_from_slice(&wire);
        }
    }
}
