//! MULTI, EXEC and WATCH: what a client has queued and what it watches.

use keyspace::WatchToken;

/// A client's transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// `None` outside MULTI.
    pub(crate) queue: Option<Vec<Queued>>,
    /// A command was refused when it was queued: EXEC will refuse all.
    pub(crate) broken: bool,
    pub(crate) watched: Vec<WatchToken>,
}

/// A request that waits for EXEC.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) entry: usize,
    pub(crate) request: Vec<Vec<u8>>,
}

impl Transaction {
    pub(crate) fn is_open(&self) -> bool {
        self.queue.is_some()
    }

    /// Ends the transaction; what was watched is given back to be unwatched.
    #[must_use]
    pub(crate) fn close(&mut self) -> Vec<WatchToken> {
        self.queue = None;
        self.broken = false;
        std::mem::take(&mut self.watched)
    }
}
