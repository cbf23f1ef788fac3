use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use crate::reply::Reply;
use crate::wire::{Connect, Wire};

/// A small RESP2 and RESP3 client.
pub struct Client {
    wire: Box<dyn Wire>,
    received: Vec<u8>,
    /// Pushes that came while a reply was awaited.
    pushes: VecDeque<Reply>,
}

/// What a connection had to say within the time given.
#[derive(Debug, PartialEq)]
pub enum Received {
    Reply(Reply),
    Silence,
    Closed,
}

impl Client {
    /// Long enough for a busy machine, where a first interpreter alone may take ten seconds to start; short enough for a
    /// hanging test.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    pub fn open(server: &dyn Connect) -> io::Result<Client> {
        Ok(Client { wire: server.connect()?, received: Vec::new(), pushes: VecDeque::new() })
    }

    /// Sends a command and waits for its reply, setting aside pushes that come before it.
    pub fn call<Word: AsRef<[u8]>>(&mut self, words: &[Word]) -> io::Result<Reply> {
        self.send(words)?;
        self.expect_reply()
    }

    pub(crate) fn expect_reply(&mut self) -> io::Result<Reply> {
        match self.reply()? {
            Received::Reply(reply) => Ok(reply),
            Received::Silence => {
                Err(io::Error::new(ErrorKind::TimedOut, "the server did not reply"))
            }
            Received::Closed => {
                Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"))
            }
        }
    }

    pub fn send<Word: AsRef<[u8]>>(&mut self, words: &[Word]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.send_raw(&request)
    }

    /// For inline commands and for what no well-behaved client would send.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.send(bytes)
    }

    /// The next reply that is not a push; pushes before it are set aside for `next`.
    pub fn reply(&mut self) -> io::Result<Received> {
        loop {
            match self.read(Client::PATIENCE)? {
                Received::Reply(push @ Reply::Push(_)) => self.pushes.push_back(push),
                received => return Ok(received),
            }
        }
    }

    /// Whatever comes next within `wait`, pushes that were set aside first.
    pub fn next(&mut self, wait: Duration) -> io::Result<Received> {
        match self.pushes.pop_front() {
            Some(push) => Ok(Received::Reply(push)),
            None => self.read(wait),
        }
    }

    fn read(&mut self, wait: Duration) -> io::Result<Received> {
        let deadline = Instant::now() + wait;
        loop {
            let decoded = Reply::decode(&self.received)
                .map_err(|why| io::Error::new(ErrorKind::InvalidData, why))?;
            if let Some((reply, length)) = decoded {
                self.received.drain(..length);
                return Ok(Received::Reply(reply));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wire.receive(&mut self.received, left) {
                Ok(0) => return Ok(Received::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut && left.is_zero() => {
                    return Ok(Received::Silence);
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                // A process that is stopped and goes on finds its wait with a timeout interrupted.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
