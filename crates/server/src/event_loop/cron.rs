//! What time brings: expiry, eviction, and clients that have had theirs.

use super::Server;
use crate::client::Slot;
use crate::dispatch;
use crate::eviction::{self, Room};

pub(super) const CRON_INTERVAL_MS: i64 = 100;
/// Entries that one step of active expiry looks at, and how long it may go on within one turn.
const EXPIRY_STEP: usize = 2000;
const EXPIRY_BUDGET_US: u64 = 1000;

impl Server {
    /// Some of what cron does was more than it may do within one turn.
    pub(super) fn cron_is_behind(&self) -> bool {
        self.expiry_is_behind || self.eviction_is_behind
    }

    pub(super) fn cron(&mut self) {
        let state = &mut self.state;
        let started_us = state.clock.monotonic_us();
        self.expiry_is_behind = loop {
            if state.keyspace.expire_cycle(EXPIRY_STEP) == 0 {
                break false;
            }
            if state.clock.monotonic_us() - started_us > EXPIRY_BUDGET_US {
                break true;
            }
        };
        if state.keyspace.has_events() {
            dispatch::tell_events(state);
        }
        // Commands make room for themselves; this is for a server that nobody asks anything and for a limit that was lowered.
        self.eviction_is_behind = eviction::make_room(state) == Room::Coming;
        let now_ms = state.clock.unix_ms();
        if now_ms < self.next_cron_ms {
            return;
        }
        self.next_cron_ms = now_ms + CRON_INTERVAL_MS;
        state.statistics.sample(now_ms);

        let idle_max_ms = state.settings.idle_seconds_max * 1000;
        let mut idle: Vec<Slot> = Vec::new();
        let mut behind: Vec<Slot> = Vec::new();
        for (slot, client) in state.clients.iter() {
            let idle_ms = now_ms - client.active_ms;
            if idle_max_ms > 0
                && idle_ms > idle_max_ms
                && !client.is_waiting()
                && !client.is_subscriber()
            {
                idle.push(slot);
            }
            if client.behind_until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
                behind.push(slot);
            }
            if idle_ms > 2000
                && let Some(Some(connection)) = self.connections.get_mut(slot)
            {
                connection.shrink();
            }
        }
        idle.into_iter().for_each(|slot| state.clients.condemn(slot));
        behind.into_iter().for_each(|slot| self.close_for_output(slot));
    }
}
