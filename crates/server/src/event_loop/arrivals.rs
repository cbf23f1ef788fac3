//! Clients coming and going.

use std::io;

use mio::event::Source;
use mio::net::UnixStream;
use mio::{Interest, Token};

use super::Server;
use crate::client::{Address, Slot};
use crate::connection::{Connection, Socket};
use crate::log::{self, Level};

impl Server {
    pub(super) fn accept(&mut self, index: usize) -> io::Result<()> {
        loop {
            let (socket, address) = match self.listeners[index].accept() {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return Ok(()),
                Err(error) => {
                    // A client that is gone already, or no descriptor left: the others go on.
                    log::write(Level::Warning, &format!("Accepting a client failed: {error}"));
                    return Ok(());
                }
            };
            self.admit(socket, address)?;
        }
    }

    /// What other threads asked for.
    pub(super) fn open_door(&mut self) -> io::Result<()> {
        let asked = self.door.look();
        self.state.shutdown |= asked.stop;
        for stream in asked.connections {
            self.admit(Socket::Unix(UnixStream::from_std(stream)), Address::InProcess)?;
        }
        Ok(())
    }

    fn admit(&mut self, socket: Socket, address: Address) -> io::Result<()> {
        self.state.statistics.connections_received += 1;
        let mut connection = Box::new(Connection::new(socket));
        if self.state.clients.len() >= self.state.config.number("maxclients") as usize {
            self.state.statistics.connections_rejected += 1;
            let _ = connection.write(b"-ERR max number of clients reached\r\n");
            return Ok(());
        }
        let authenticated = self.state.settings.password.is_none();
        let slot = self.state.clients.add(address, self.state.clock.unix_ms(), authenticated);
        let peak = &mut self.state.statistics.clients_peak;
        *peak = (*peak).max(self.state.clients.len());
        self.poll.registry().register(
            source(&mut connection.socket),
            Token(slot),
            Interest::READABLE,
        )?;
        if self.connections.len() <= slot {
            self.connections.resize_with(slot + 1, || None);
        }
        self.connections[slot] = Some(connection);
        // Its first request is here already as a rule, and this event was for the listener.
        self.mark_readable(slot);
        Ok(())
    }

    fn close(&mut self, slot: Slot) {
        if let Some(mut connection) = self.connections.get_mut(slot).and_then(Option::take) {
            let _ = self.poll.registry().deregister(source(&mut connection.socket));
        }
        let state = &mut self.state;
        if state.clients.get(slot).is_none() {
            return;
        }
        crate::blocking::release(
            &mut state.blocking,
            &mut state.keyspace,
            &mut state.clients,
            slot,
        );
        crate::commands::forget_subscriptions(state, slot);
        crate::monitor::stop(state, slot);
        crate::gears::client_gone(state, slot);
        if let Some(mut client) = state.clients.remove(slot) {
            client.transaction.close(&mut state.keyspace);
        }
        self.readable.retain(|other| *other != slot);
        self.runnable.retain(|other| *other != slot);
    }

    pub(super) fn close_condemned(&mut self) {
        for slot in self.state.clients.take_condemned() {
            self.close(slot);
        }
    }
}

pub(super) fn source(socket: &mut Socket) -> &mut dyn Source {
    match socket {
        Socket::Tcp(stream) => stream,
        Socket::Unix(stream) => stream,
    }
}
