//! Phase 2: execute, in each connection's order, in windows whose keys are prefetched together.

use resp::ReplyWriter;

use super::{Server, UNSENT_BYTES_MAX};
use crate::backpressure;
use crate::client::{Pending, Slot};
use crate::connection::Connection;
use crate::dispatch::{self, Outcome, dispatch};
use crate::function_calls;

/// Requests whose keys are prefetched together.
const WINDOW: usize = 64;

impl Server {
    pub(super) fn execute(&mut self) {
        loop {
            self.execute_runnable();
            dispatch::serve_ready(&mut self.state);
            for slot in self.state.clients.take_resumed() {
                if !function_calls::resumed(&mut self.state, slot) {
                    self.resume(slot);
                }
            }
            if self.runnable.is_empty() || self.is_time_over() {
                return;
            }
        }
    }

    /// What commands did not come to is left for the next turn: a pipeline of slow ones is its own client's matter.
    fn is_time_over(&self) -> bool {
        self.state.command_end_us > self.commands_end_us
    }

    /// A client that waited goes on: with what it has sent meanwhile, and with reading.
    pub(super) fn resume(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        if !connection.is_listed {
            connection.is_listed = true;
            self.runnable.push(slot);
        }
        if connection.is_readable && !self.readable.contains(&slot) {
            self.readable.push(slot);
        }
    }

    fn execute_runnable(&mut self) {
        let runnable = std::mem::take(&mut self.runnable);
        let mut index = 0;
        while index < runnable.len() && !self.is_time_over() {
            let mut window = std::mem::take(&mut self.window);
            window.clear();
            let mut total = 0;
            while index < runnable.len() && total < WINDOW {
                let slot = runnable[index];
                let Some(Some(connection)) = self.connections.get(slot) else {
                    index += 1;
                    continue;
                };
                let pending = connection.pending();
                let count = pending.min(WINDOW - total);
                window.push((slot, count));
                total += count;
                if count == pending {
                    index += 1;
                } else {
                    break;
                }
            }
            if total > 1 {
                self.prefetch(&window);
            }
            for (slot, count) in &window {
                let went_on = self.execute_requests(*slot, *count);
                self.look();
                // A connection that was held up is left for later; its window was the last piece of it.
                if !went_on && runnable.get(index) == Some(slot) {
                    index += 1;
                }
            }
            self.state.end_window();
            if self.is_time_over() {
                let is_last = |slot: &Slot| runnable.get(index) == Some(slot);
                let cut_off = window.iter().map(|(slot, _)| *slot).filter(|slot| !is_last(slot));
                self.leave_for_later(cut_off);
            }
            self.window = window;
        }
        let (first, others) = runnable[index..].split_at(runnable.len().min(index + 1) - index);
        // Whoever had begun stands last now.
        self.leave_for_later(others.iter().chain(first).copied());
    }

    fn leave_for_later(&mut self, slots: impl Iterator<Item = Slot>) {
        for slot in slots {
            if let Some(Some(connection)) = self.connections.get_mut(slot)
                && !self.runnable.contains(&slot)
            {
                // One that was resumed may have nothing yet: it is listed again when it has sent something.
                connection.is_listed = connection.has_something();
                if connection.is_listed {
                    self.runnable.push(slot);
                }
            }
        }
    }

    /// Two passes over the window, so that no miss waits for another: buckets first, then the entries they name.
    fn prefetch(&mut self, window: &[(Slot, usize)]) {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        for (slot, count) in window {
            let Some(Some(connection)) = self.connections.get(*slot) else { continue };
            let db = self.state.clients[*slot].database;
            let input = connection.input();
            for request in connection.upcoming(*count) {
                // The first argument is the key of nearly every command that has any; for the others this is idle work.
                if let Some(key) = request.get(1) {
                    let hash = self.state.keyspace.hash(key.of(input));
                    self.state.keyspace.prefetch_bucket(db, hash);
                    hashes.push((db, hash));
                }
            }
        }
        for (db, hash) in &hashes {
            self.state.keyspace.prefetch_entry(*db, *hash);
        }
        self.hashes = hashes;
    }

    /// Executes up to `count` requests of a connection; false if it was held up.
    fn execute_requests(&mut self, slot: Slot, count: usize) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return false };
        let mut went_on = true;
        let mut out = std::mem::take(&mut self.state.clients[slot].output);
        self.state.gears.executing = Some(slot);
        for _ in 0..count {
            if self.state.command_end_us > self.commands_end_us {
                break;
            }
            let client = &mut self.state.clients[slot];
            if client.closing
                || client.blocked.is_some()
                || client.held.is_some()
                || out.len() - client.sent > UNSENT_BYTES_MAX
            {
                went_on = false;
                break;
            }
            if !client.pending.is_empty() && !next_may_overtake(connection) {
                went_on = false;
                break;
            }
            client.commands += 1;
            let Some((input, spans)) = connection.next_request() else { break };
            let mut few: [&[u8]; 8] = [&[]; 8];
            let many: Vec<&[u8]>;
            let request: &[&[u8]] = match few.get_mut(..spans.len()) {
                Some(few) => {
                    few.iter_mut()
                        .zip(spans)
                        .for_each(|(argument, span)| *argument = span.of(input));
                    few
                }
                None => {
                    many = spans.iter().map(|span| span.of(input)).collect();
                    &many
                }
            };
            if self.state.clients[slot].pending.is_empty() {
                dispatch(&mut self.state, slot, request, &mut out);
            } else {
                // Replies keep the order of their requests: this one stands behind those that functions still owe.
                let mut late = Vec::new();
                if dispatch(&mut self.state, slot, request, &mut late) == Outcome::Answered {
                    let pending = Pending { call: 0, wire: Some(late) };
                    self.state.clients[slot].pending.push_back(pending);
                }
            }
            if self.state.gears.found_full {
                backpressure::hold(&mut self.state, slot);
            }
        }
        self.state.gears.executing = None;
        let client = &mut self.state.clients[slot];
        if !client.pending.is_empty() {
            // Replies that came while a function ran inside one of the requests.
            crate::gears::deliver(client, &mut out);
            if client.pending.is_empty() {
                self.state.clients.resume(slot);
            }
        }
        let client = &mut self.state.clients[slot];
        let messages = std::mem::replace(&mut client.output, out);
        client.output.extend_from_slice(&messages);
        self.finish_requests(slot);
        went_on
    }

    /// What follows a connection's share of the turn.
    fn finish_requests(&mut self, slot: Slot) {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return };
        connection.compact();
        let client = &mut self.state.clients[slot];
        connection.is_listed = false;
        let is_waiting = client.is_waiting();
        if connection.is_readable && connection.pending() == 0 && !self.readable.contains(&slot) {
            // It was read no further while it had enough to do.
            self.readable.push(slot);
        }
        if connection.pending() == 0 && !is_waiting {
            if let Some(error) = connection.error.take() {
                self.state.statistics.protocol_errors += 1;
                let text = format!("ERR {error}");
                ReplyWriter::new(&mut client.output, client.protocol).error(text.as_bytes());
                client.closing = true;
            }
            if connection.at_end {
                client.closing = true;
            }
        } else if connection.at_end && is_waiting && client.held.is_none() {
            // Whoever went away while waiting gets no answer any more. One that is held is owed none, and what it has
            // sent is still to be done.
            self.state.clients.condemn(slot);
            return;
        }
        if client.unsent() > 0 || client.closing {
            self.state.clients.mark_output(slot);
        }
    }
}

/// Whether the next request may start while replies are still owed: triggers of one pipeline share a batch.
fn next_may_overtake(connection: &Connection) -> bool {
    let input = connection.input();
    let next = connection.upcoming(1).next();
    next.is_some_and(|request| request[0].of(input).eq_ignore_ascii_case(b"rg.trigger"))
}
