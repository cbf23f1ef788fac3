//! What the engine is told of: what happens to keys, and clients that go away. While it runs, it is told afterwards.

use std::rc::Rc;

use functions::host::{ClientId, Removal};
use functions::worker::ExecutionId;
use functions::{Announced, Doors, During};
use keyspace::{EventKind, Removed};

use super::{LentState, Machine, options, run_all_inside, with_engine};
use crate::client::Slot;
use crate::removals::{self, Remains};
use crate::state::State;

/// What happened to a key while the engine ran.
pub(super) enum Late {
    Event(&'static str, Box<[u8]>),
    Removal(Removal, Box<[u8]>, Remains),
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

/// Nobody waits for this client's replies any more.
pub(crate) fn client_gone(state: &mut State, slot: Slot) {
    let client = &mut state.clients[slot];
    let pending = std::mem::take(&mut client.pending).into_iter().map(|pending| pending.call);
    for call in pending.chain(client.held.take()) {
        if state.gears.calls.remove(&call).is_some() {
            state.gears.gone.push(ClientId(call));
        }
    }
    if !state.gears.gone.is_empty() {
        with_engine(state, |_, _| {});
    }
}

/// Events that the engine's own commands caused, and clients that went away, while it ran: in order, until there is
/// nothing new. Gives the functions that are to run with the data to themselves.
pub(super) fn tell_late(machine: &mut Machine, state: &mut State) -> Vec<ExecutionId> {
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
            machine.engine.client_gone(&mut doors, client);
        }
        if let Some(config) = config {
            options::set(&mut machine.engine, &mut doors, &config);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_that_functions_may_name_is_explained() {
        let page = include_str!("../../../../docs/events.md");
        let of_functions = Removal::ALL.map(Removal::event);
        let names = EventKind::ALL.iter().map(|kind| kind.name).chain(of_functions);
        let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert_eq!(missing, [""; 0]);
    }
}
