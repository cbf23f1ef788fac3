//! Functions that have the data to themselves: nobody else is served meanwhile.

use std::convert::Infallible;
use std::time::Duration;

use functions::Inside;
use functions::worker::ExecutionId;

use super::turn::{flush, receive, tick_if_due};
use super::with_engine;
use crate::function_calls;
use crate::state::State;

/// Runs a function inside the command that triggered it: nobody is served but whoever has the data, until it is over.
pub(super) fn run_inside(state: &mut State, id: ExecutionId) -> Inside {
    with_engine(state, |engine, doors| engine.begin_inside(doors, id));
    loop {
        let looked = with_engine(state, |engine, _| engine.look_inside(id));
        match looked.expect("the engine is back: it has told us to run this") {
            Inside::Runs => serve_borrower(state),
            over => return over,
        }
    }
}

pub(crate) fn run_all_inside(state: &mut State, inside: Vec<ExecutionId>) {
    for id in inside {
        // What came of it stands in the registration's statistics.
        let _ended = run_inside(state, id);
    }
}

/// Nobody but one worker is served until it lets go of the data, dies or is cut off.
pub(super) fn serve_lease(state: &mut State) {
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
