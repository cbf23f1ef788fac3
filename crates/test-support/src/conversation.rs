use std::collections::BTreeMap;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::client::{Client, Received};
use crate::order::Order;
use crate::script::{Act, Line};
use crate::wire::Connect;

/// Speaks the lines of one script over as many connections as it names.
pub struct Conversation<'a> {
    server: &'a dyn Connect,
    clients: BTreeMap<String, Client>,
    /// Takes no part in the conversation; tells when the server has seen what others sent.
    bystander: Client,
}

impl<'a> Conversation<'a> {
    /// Begins with an empty keyspace.
    pub fn begin(server: &'a dyn Connect) -> io::Result<Conversation<'a>> {
        let mut bystander = Client::open(server)?;
        bystander.call(&["FLUSHALL"])?;
        Ok(Conversation { server, clients: BTreeMap::new(), bystander })
    }

    /// What is shown for a line, if it shows anything.
    pub(crate) fn speak(&mut self, line: &Line) -> io::Result<Option<String>> {
        let received = match &line.act {
            Act::Call(order, words) => Some((self.call(&line.connection, words)?, *order)),
            Act::Start(words) => {
                self.client(&line.connection)?.send(words)?;
                self.settle()?;
                None
            }
            Act::Await => {
                Some((self.client(&line.connection)?.next(Client::PATIENCE)?, Order::AsIs))
            }
            Act::Quiet => {
                self.settle()?;
                let received = self.client(&line.connection)?.next(Duration::from_millis(10))?;
                (received != Received::Silence).then_some((received, Order::AsIs))
            }
            Act::Resp3 => {
                self.client(&line.connection)?.call(&["HELLO", "3"])?;
                None
            }
            Act::Raw(bytes) => {
                let client = self.client(&line.connection)?;
                client.send_raw(bytes)?;
                Some((client.next(Client::PATIENCE)?, Order::AsIs))
            }
            Act::Close => {
                self.clients.remove(&line.connection);
                self.settle()?;
                None
            }
            Act::SleepMs(ms) => {
                sleep(Duration::from_millis(*ms));
                None
            }
            Act::Repeat(times, words) => {
                self.repeat(&line.connection, *times, words)?.map(|last| (last, Order::AsIs))
            }
        };
        Ok(received.map(|(received, order)| {
            let shown = match received {
                Received::Reply(reply) => order.canonical(reply).to_string(),
                Received::Silence => "(silence)".into(),
                Received::Closed => "(closed)".into(),
            };
            if line.connection.is_empty() { shown } else { format!("{}: {shown}", line.connection) }
        }))
    }

    fn call(&mut self, connection: &str, words: &[Vec<u8>]) -> io::Result<Received> {
        let client = self.client(connection)?;
        client.send(words)?;
        // (P|S)(UN)SUBSCRIBE answers with pushes in RESP3.
        if words[0].to_ascii_lowercase().ends_with(b"subscribe") {
            client.next(Client::PATIENCE)
        } else {
            client.reply()
        }
    }

    fn repeat(
        &mut self,
        connection: &str,
        times: usize,
        words: &[Vec<u8>],
    ) -> io::Result<Option<Received>> {
        let mut last = None;
        for turn in 0..times {
            let turn = turn.to_string();
            let words: Vec<String> = words
                .iter()
                .map(|word| String::from_utf8_lossy(word).replace("{i}", &turn))
                .collect();
            let client = self.client(connection)?;
            client.send(&words)?;
            last = Some(client.reply()?);
        }
        Ok(last)
    }

    /// Returns when the server has executed all that was sent before, though it came on other connections. The first
    /// PING may be read in the same turn of the server's loop as those and be served before them; the second may not.
    fn settle(&mut self) -> io::Result<()> {
        self.bystander.call(&["PING"])?;
        self.bystander.call(&["PING"])?;
        Ok(())
    }

    fn client(&mut self, connection: &str) -> io::Result<&mut Client> {
        if !self.clients.contains_key(connection) {
            self.clients.insert(connection.to_string(), Client::open(self.server)?);
        }
        Ok(self.clients.get_mut(connection).expect("it was inserted above"))
    }
}
