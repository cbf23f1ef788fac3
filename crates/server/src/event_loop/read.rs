//! Phase 1: read and decode.

use super::{Server, UNSENT_BYTES_MAX};
use crate::client::Slot;
use crate::connection::ReadEnd;

/// A client that waits keeps so much input; more stays in its socket.
const WAITING_INPUT_BYTES_MAX: usize = 64 << 10;

impl Server {
    pub(super) fn mark_readable(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if !connection.is_readable {
            connection.is_readable = true;
            self.readable.push(slot);
        }
    }

    pub(super) fn read(&mut self) {
        for slot in std::mem::take(&mut self.readable) {
            self.look();
            let Some(Some(connection)) = self.connections.get_mut(slot) else { continue };
            let client = &mut self.state.clients[slot];
            let held_up = client.is_waiting()
                || client.unsent() > UNSENT_BYTES_MAX
                || connection.pending() > 0;
            if held_up && connection.buffered() > WAITING_INPUT_BYTES_MAX {
                // Stays marked: reading goes on when the client does.
                continue;
            }
            let (count, end) = connection.read();
            self.state.statistics.input_bytes += count as u64;
            connection.decode(&self.state.settings.request_limits);
            match end {
                ReadEnd::Drained => connection.is_readable = false,
                ReadEnd::More => self.readable.push(slot),
                ReadEnd::Closed => {
                    connection.is_readable = false;
                    connection.at_end = true;
                }
            }
            client.active_ms = self.state.clock.unix_ms();
            if connection.buffered() > self.state.settings.query_bytes_max {
                self.state.statistics.query_limit_disconnections += 1;
                self.state.clients.condemn(slot);
                continue;
            }
            if connection.has_something() && !connection.is_listed {
                connection.is_listed = true;
                self.runnable.push(slot);
            }
        }
    }
}
