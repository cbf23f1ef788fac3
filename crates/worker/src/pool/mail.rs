//! Looking into the mailboxes of those workers that use them.

use functions::worker::{FromWorker, Token, WorkerId};

use super::Pool;
use crate::mailbox::Mailbox;
use crate::message::Unexpected;

/// After so many sleeps of the host without a frame in it, a mailbox is not looked into any more.
const UNUSED_MAX: u32 = 1000;

/// So many looks into the mailbox of the only worker that is served, for each look at its stream: about as long as that
/// takes.
const LOOKS: u32 = 32;

impl Pool {
    /// Whether there is something in a mailbox. A few loads from memory: to be asked as often as the host likes.
    pub fn has_mail(&self) -> bool {
        self.attended.iter().any(|number| {
            let mailbox = self.processes.get(number).and_then(|process| process.mailbox.as_ref());
            mailbox.is_some_and(Mailbox::has_mail)
        })
    }

    /// Takes what lies in the mailboxes, one frame of each worker. When its messages have been dealt with,
    /// [`Pool::close_mail`] must follow.
    pub fn look(&mut self, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        for at in (0..self.attended.len()).rev() {
            self.look_at(self.attended[at], sink);
        }
    }

    pub(super) fn look_at(&mut self, number: u64, sink: &mut dyn FnMut(WorkerId, FromWorker)) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        let looked = process.look(&mut |message| sink(WorkerId(number), message));
        let refused = process.refused.take();
        if let Err(Unexpected(why)) = looked {
            self.break_off(number, why);
        }
        self.refuse(number, refused);
    }

    /// Gives the worker a moment to put something in.
    pub(super) fn await_mail(&self, number: u64) {
        let mailbox = self.processes.get(&number).and_then(|process| process.mailbox.as_ref());
        let Some(mailbox) = mailbox.filter(|mailbox| mailbox.is_attended()) else { return };
        for _ in 0..LOOKS {
            if mailbox.has_mail() {
                return;
            }
            std::hint::spin_loop();
        }
    }

    pub(super) fn refuse(&mut self, number: u64, call: Option<Token>) {
        if let Some(token) = call {
            let text = "an argument is not valid text: surrogates not allowed";
            self.reply(WorkerId(number), token, false, |to| to.text(text));
        }
    }

    /// Calls that have no answer yet will get it through the stream: nobody shall look for it in vain.
    pub fn close_mail(&mut self) {
        for at in 0..self.attended.len() {
            if let Some(mailbox) = self.mailbox(self.attended[at]) {
                mailbox.send_elsewhere();
            }
        }
    }

    /// The host is about to sleep: workers use their streams from now on. `false` if something has come before they knew.
    pub fn leave_mail(&mut self) -> bool {
        let mut may_sleep = true;
        for at in (0..self.attended.len()).rev() {
            let Some(mailbox) = self.mailbox(self.attended[at]) else {
                self.attended.swap_remove(at);
                continue;
            };
            if !mailbox.leave() {
                may_sleep = false;
            } else if mailbox.count_unused() > UNUSED_MAX {
                self.attended.swap_remove(at);
            }
        }
        may_sleep
    }

    /// The host is awake again.
    pub fn attend_mail(&mut self) {
        for at in 0..self.attended.len() {
            if let Some(mailbox) = self.mailbox(self.attended[at]) {
                mailbox.attend();
            }
        }
    }

    pub(super) fn mailbox(&mut self, number: u64) -> Option<&mut Mailbox> {
        self.processes.get_mut(&number)?.mailbox.as_mut()
    }

    /// A worker that has something to say by its stream would rather use its mailbox.
    pub(super) fn attend_from_now_on(&mut self, number: u64) {
        if let Some(mailbox) = self.mailbox(number) {
            mailbox.expect();
            mailbox.attend();
            if !self.attended.contains(&number) {
                self.attended.push(number);
            }
        }
    }
}
