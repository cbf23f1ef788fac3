//! Phase 3: write, once to each client that has output.

use mio::{Interest, Poll, Token};

use super::arrivals::source;
use super::{Server, UNSENT_BYTES_MAX};
use crate::client::Slot;
use crate::connection::Connection;
use crate::log::{self, Level};

impl Server {
    pub(super) fn continue_writing(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if connection.awaits_writable {
            self.state.clients.mark_output(slot);
        }
    }

    pub(super) fn write(&mut self) {
        let mut writable = std::mem::take(&mut self.writable);
        self.state.clients.take_with_output(&mut writable);
        for slot in &writable {
            self.write_one(*slot);
            self.look();
        }
        self.writable = writable;
    }

    fn write_one(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        let client = &mut self.state.clients[slot];
        let Ok(written) = connection.write(&client.output[client.sent..]) else {
            self.state.clients.condemn(slot);
            return;
        };
        self.state.statistics.output_bytes += written as u64;
        let was_full = client.unsent() > UNSENT_BYTES_MAX;
        client.sent += written;
        if client.unsent() == 0 {
            client.behind_until_ms = None;
            client.sent = 0;
            client.output.clear();
            if client.output.capacity() > 4 * UNSENT_BYTES_MAX {
                client.output = Vec::new();
            }
            if client.closing {
                self.state.clients.condemn(slot);
                return;
            }
            if connection.awaits_writable {
                connection.awaits_writable = false;
                watch(&self.poll, connection, slot, Interest::READABLE);
            }
        } else {
            if client.sent > UNSENT_BYTES_MAX {
                client.output.drain(..client.sent);
                client.sent = 0;
            }
            if !connection.awaits_writable {
                connection.awaits_writable = true;
                watch(&self.poll, connection, slot, Interest::READABLE | Interest::WRITABLE);
            }
            let settings = &self.state.settings;
            let limit = if client.is_subscriber() {
                settings.pubsub_output
            } else {
                settings.normal_output
            };
            let is_behind = limit.soft > 0 && client.unsent() > limit.soft;
            let now_ms = self.state.clock.unix_ms();
            client.behind_until_ms = match client.behind_until_ms {
                Some(until_ms) if is_behind => Some(until_ms),
                _ => is_behind.then_some(now_ms + limit.soft_ms),
            };
            if limit.hard > 0 && client.unsent() > limit.hard {
                self.close_for_output(slot);
                return;
            }
        }
        let is_full = client.unsent() > UNSENT_BYTES_MAX;
        if (was_full || connection.pending() > 0) && !is_full {
            self.resume(slot);
        }
    }

    pub(super) fn close_for_output(&mut self, slot: Slot) {
        self.state.statistics.output_limit_disconnections += 1;
        let address = &self.state.clients[slot].address;
        let text = format!("Client {address} closed for overcoming of output buffer limits.");
        log::write(Level::Warning, &text);
        self.state.clients.condemn(slot);
    }
}

fn watch(poll: &Poll, connection: &mut Connection, slot: Slot, interest: Interest) {
    // A socket that is registered can be registered anew; should it fail, the peer is gone and the next read tells.
    let _ = poll.registry().reregister(source(&mut connection.socket), Token(slot), interest);
}
