//! The load generator: one thread, many connections, a batch in flight on each.
//!
//! It goes round the connections: takes the replies of one's batch, sends the next, goes on. While it is at one the
//! server has all others' requests. Waiting at one that is not ready costs nothing but its turn: what the others got
//! meanwhile is there when their turn comes.

use std::io;
use std::time::{Duration, Instant};

use super::connection::Connection;

pub(super) const CONNECTIONS: usize = 50;

pub(super) struct Load {
    connections: Vec<Connection>,
    depth: usize,
    /// When each connection's batch went out.
    sent: Vec<Instant>,
    batch: Vec<u8>,
}

/// What a stretch of load was.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) commands: u64,
    pub(super) elapsed: Duration,
    /// From sending a batch to having read all its replies, in order of arrival.
    pub(super) batch_times: Vec<Duration>,
}

impl Stretch {
    pub(super) fn per_second(&self) -> f64 {
        self.commands as f64 / self.elapsed.as_secs_f64()
    }
}

impl Load {
    pub(super) fn open(port: u16, connections: usize, depth: usize) -> io::Result<Load> {
        let connections =
            (0..connections).map(|_| Connection::open(port)).collect::<io::Result<Vec<_>>>()?;
        let sent = vec![Instant::now(); connections.len()];
        Ok(Load { connections, depth, sent, batch: Vec::new() })
    }

    /// `append` writes one request; `goes_on` is asked before every round with the number of requests sent. All replies
    /// have come when this returns.
    pub(super) fn run(
        &mut self,
        mut append: impl FnMut(&mut Vec<u8>),
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> io::Result<Stretch> {
        let start = Instant::now();
        let mut batch_times = Vec::new();
        let mut commands = 0;
        for index in 0..self.connections.len() {
            self.send(index, &mut append)?;
            commands += self.depth as u64;
        }
        while goes_on(commands) {
            for index in 0..self.connections.len() {
                batch_times.push(self.receive(index)?);
                self.send(index, &mut append)?;
                commands += self.depth as u64;
            }
        }
        for index in 0..self.connections.len() {
            batch_times.push(self.receive(index)?);
        }
        Ok(Stretch { commands, elapsed: start.elapsed(), batch_times })
    }

    pub(super) fn run_for(
        &mut self,
        time: Duration,
        append: impl FnMut(&mut Vec<u8>),
    ) -> io::Result<Stretch> {
        let deadline = Instant::now() + time;
        self.run(append, |_| Instant::now() < deadline)
    }

    /// At least so many, to the next whole round.
    pub(super) fn run_commands(
        &mut self,
        count: u64,
        append: impl FnMut(&mut Vec<u8>),
    ) -> io::Result<Stretch> {
        self.run(append, |sent| sent < count)
    }

    fn send(&mut self, index: usize, append: &mut impl FnMut(&mut Vec<u8>)) -> io::Result<()> {
        self.batch.clear();
        for _ in 0..self.depth {
            append(&mut self.batch);
        }
        self.sent[index] = Instant::now();
        self.connections[index].send(&self.batch)
    }

    fn receive(&mut self, index: usize) -> io::Result<Duration> {
        self.connections[index].skip_replies(self.depth)?;
        Ok(self.sent[index].elapsed())
    }
}

/// Sends `count` requests, numbered from 0, over one connection and waits until all are answered.
pub(super) fn fill(
    port: u16,
    count: u64,
    mut append: impl FnMut(&mut Vec<u8>, u64),
) -> io::Result<()> {
    const BATCH: u64 = 500;
    let mut connection = Connection::open(port)?;
    let mut batch = Vec::new();
    let mut sent = 0;
    while sent < count {
        let next = count.min(sent + BATCH);
        batch.clear();
        for number in sent..next {
            append(&mut batch, number);
        }
        connection.send(&batch)?;
        connection.skip_replies((next - sent) as usize)?;
        sent = next;
    }
    Ok(())
}
