use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use resp::{Protocol, Reply, ReplyWriter, read_reply};

use super::failure::{Failure, Result};

/// One client connection: requests out, replies in, in order. A request is an array of bulk strings.
pub(super) struct Connection {
    stream: TcpStream,
    output: Vec<u8>,
    input: Vec<u8>,
    /// How far `input` has been read.
    at: usize,
}

/// Nothing here takes nearly as long: a server that is silent for this time has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests that go out together; their replies fit into the sockets' buffers, so neither side waits for the other.
const PIPELINE: usize = 1000;

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, output: Vec::new(), input: Vec::new(), at: 0 })
    }

    /// Queues a request; [`Connection::flush`] sends what is queued.
    pub(super) fn queue<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        // A request looks like the reply of the same words.
        let mut request = ReplyWriter::new(&mut self.output, Protocol::Resp2);
        request.array(words.len());
        for word in words {
            request.bulk(word.as_ref());
        }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// The next reply; an error reply is a failure.
    pub(super) fn receive(&mut self) -> Result<Reply> {
        loop {
            let whole = read_reply(&self.input[self.at..])
                .map_err(|error| Failure::new(format!("the server sent a {error}")))?;
            if let Some((reply, length)) = whole {
                self.at += length;
                return match reply {
                    Reply::Error(text) => Err(Failure::new(format!(
                        "the server answered: {}",
                        String::from_utf8_lossy(&text)
                    ))),
                    reply => Ok(reply),
                };
            }
            self.input.drain(..self.at);
            self.at = 0;
            let mut chunk = [0; 16 * 1024];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(Failure::new("the server closed the connection"));
            }
            self.input.extend_from_slice(&chunk[..count]);
        }
    }

    pub(super) fn call(&mut self, words: &[&str]) -> Result<Reply> {
        self.queue(words);
        self.flush()?;
        self.receive()
    }

    pub(super) fn number(&mut self, words: &[&str]) -> Result<i64> {
        match self.call(words)? {
            Reply::Integer(number) => Ok(number),
            other => Err(unexpected("a number", &other)),
        }
    }

    /// Runs all requests, many at a time.
    pub(super) fn pipeline<W: AsRef<[u8]>>(
        &mut self,
        requests: impl IntoIterator<Item = Vec<W>>,
    ) -> Result<usize> {
        let (mut total, mut queued) = (0, 0);
        for request in requests {
            self.queue(&request);
            queued += 1;
            if queued == PIPELINE {
                self.exchange(queued)?;
                total += queued;
                queued = 0;
            }
        }
        self.exchange(queued)?;
        Ok(total + queued)
    }

    fn exchange(&mut self, queued: usize) -> Result<()> {
        self.flush()?;
        for _ in 0..queued {
            self.receive()?;
        }
        Ok(())
    }

    /// Runs a script; its function's results and errors as text.
    pub(super) fn execute(&mut self, script: &str) -> Result<Outcome> {
        let reply = self.call(&["RG.PYEXECUTE", script])?;
        Outcome::of(reply)
    }
}

/// What an execution gave.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) results: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl Outcome {
    pub(super) fn of(reply: Reply) -> Result<Outcome> {
        match reply {
            // A script that only registers.
            Reply::Simple(_) => Ok(Outcome { results: Vec::new(), errors: Vec::new() }),
            Reply::Array(mut both) if both.len() == 2 => {
                let errors = texts(both.pop().expect("there are two"))?;
                let results = texts(both.pop().expect("there are two"))?;
                Ok(Outcome { results, errors })
            }
            other => Err(unexpected("results and errors", &other)),
        }
    }

    /// The results of a function in which nothing may go wrong.
    pub(super) fn faultless(self) -> Result<Vec<String>> {
        match self.errors.first() {
            None => Ok(self.results),
            Some(error) => Err(Failure::new(format!("a function failed: {error}"))),
        }
    }
}

/// An array of strings.
pub(super) fn texts(reply: Reply) -> Result<Vec<String>> {
    let Reply::Array(items) = reply else {
        return Err(unexpected("an array", &reply));
    };
    items
        .into_iter()
        .map(|item| match item {
            Reply::Bulk(text) | Reply::Simple(text) => {
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            Reply::Integer(number) => Ok(number.to_string()),
            other => Err(unexpected("a text", &other)),
        })
        .collect()
}

/// A reply of another kind than the request has.
fn unexpected(wanted: &str, came: &Reply) -> Failure {
    let mut text = format!("{came:?}");
    if let Reply::Bulk(bytes) | Reply::Simple(bytes) = came {
        text = String::from_utf8_lossy(bytes).into_owned();
    }
    text.truncate(text.floor_char_boundary(200));
    Failure::new(format!("the server was to answer with {wanted}, and answered: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_results_and_errors() {
        let bulk = |text: &str| Reply::Bulk(text.into());
        let reply = Reply::Array(vec![Reply::Array(vec![bulk("3")]), Reply::Array(vec![])]);
        assert_eq!(Outcome::of(reply).unwrap().faultless().unwrap(), ["3"]);

        let reply = Reply::Array(vec![Reply::Array(vec![]), Reply::Array(vec![bulk("oh")])]);
        let failure = Outcome::of(reply).unwrap().faultless().unwrap_err();
        assert_eq!(failure.to_string(), "a function failed: oh");

        assert!(Outcome::of(Reply::Integer(1)).is_err());
    }
}
