//! Clients that wait for the engine's reply.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use crate::api::{BlockedClient, Context};

/// One number a call. Everything is borrowed for a moment only: the server may come back to us from within its own functions.
pub(crate) struct Calls {
    next: Cell<u64>,
    /// The call whose command is running, with its reply if that came already.
    opening: RefCell<Option<(u64, Option<Vec<u8>>)>>,
    blocked: RefCell<HashMap<u64, BlockedClient>>,
    /// Replies that the server has not fetched yet.
    replies: RefCell<HashMap<u64, Vec<u8>>>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Calls {
            next: Cell::new(1),
            opening: RefCell::new(None),
            blocked: RefCell::default(),
            replies: RefCell::default(),
        }
    }

    /// A command begins; its reply may come before it ends.
    pub(crate) fn open(&self) -> u64 {
        let call = self.next.get();
        self.next.set(call + 1);
        self.opening.replace(Some((call, None)));
        call
    }

    /// The command has been answered at once.
    pub(crate) fn close(&self) {
        self.opening.replace(None);
    }

    /// The command's reply comes later, or came already: its client waits.
    pub(crate) fn wait(&self, context: &Context) {
        let Some((call, reply)) = self.opening.take() else { return };
        let blocked = context.block();
        self.blocked.borrow_mut().insert(call, blocked);
        if let Some(wire) = reply {
            self.answer(call, &wire);
        }
    }

    /// A late reply. Nobody may wait for it any more.
    pub(crate) fn answer(&self, call: u64, wire: &[u8]) {
        if let Some((_, reply)) =
            self.opening.borrow_mut().as_mut().filter(|(opening, _)| *opening == call)
        {
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

    /// All that wait.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        self.blocked.borrow().keys().copied().collect()
    }
}
