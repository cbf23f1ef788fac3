//! Clients that wait for the engine's reply.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::api::{BlockedClient, Context};

/// One number a call. Everything is borrowed for a moment only: the server may come back to us from within its own functions.
pub(crate) struct Calls {
    next: Cell<u64>,
    /// Calls whose commands are running, with their replies if those came already. A function that runs inside a command may
    /// call the next one.
    open: RefCell<HashMap<u64, Option<Vec<u8>>>>,
    blocked: RefCell<HashMap<u64, BlockedClient>>,
    /// Replies that the server has not fetched yet.
    replies: RefCell<HashMap<u64, Vec<u8>>>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Calls {
            next: Cell::new(1),
            open: RefCell::default(),
            blocked: RefCell::default(),
            replies: RefCell::default(),
        }
    }

    /// A command begins; its reply may come before it ends.
    pub(crate) fn open(&self) -> u64 {
        let call = self.next.get();
        self.next.set(call + 1);
        self.open.borrow_mut().insert(call, None);
        call
    }

    /// The command has been answered at once.
    pub(crate) fn close(&self, call: u64) {
        self.open.borrow_mut().remove(&call);
    }

    /// The command's reply comes later, or came already: its client waits.
    pub(crate) fn wait(&self, call: u64, context: &Context) {
        let Some(reply) = self.open.borrow_mut().remove(&call) else { return };
        let blocked = context.block();
        self.blocked.borrow_mut().insert(call, blocked);
        if let Some(wire) = reply {
            self.answer(call, &wire);
        }
    }

    /// A late reply. Nobody may wait for it any more.
    pub(crate) fn answer(&self, call: u64, wire: &[u8]) {
        if let Some(reply) = self.open.borrow_mut().get_mut(&call) {
            *reply = Some(wire.to_vec());
            return;
        }
        let blocked = self.blocked.borrow_mut().remove(&call);
        if let Some(blocked) = blocked {
            self.replies.borrow_mut().insert(call, wire.to_vec());
            blocked.unblock(call);
        }
    }

    pub(crate) fn take_reply(&self, call: u64) -> Option<Vec<u8>> {
        self.replies.borrow_mut().remove(&call)
    }

    /// A client is gone: the call that it waited for.
    pub(crate) fn disconnected(&self, client: usize) -> Option<u64> {
        let mut all = self.blocked.borrow_mut();
        let call = *all.iter().find(|(_, blocked)| blocked.identity() == client)?.0;
        let blocked = all.remove(&call)?;
        drop(all);
        blocked.unblock(call);
        Some(call)
    }

    /// Commands that were running are answered otherwise.
    pub(crate) fn close_all(&self) {
        self.open.borrow_mut().clear();
    }

    /// All that wait.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        self.blocked.borrow().keys().copied().collect()
    }
}
