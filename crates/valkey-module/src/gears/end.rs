//! How the engine ends.

use worker::Pool;

use super::{Gears, Seat};
use crate::api::EventClasses;
use crate::entry::BROKEN;

impl Gears {
    /// Before the server exits.
    pub(crate) fn end(&self) {
        self.stop(Seat::Ended);
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.seat.borrow(), Seat::Ended)
    }

    /// Ends all workers, and lets go of the server's loop.
    fn stop(&self, seat: Seat) {
        self.with_pool(Pool::shutdown);
        self.watch_descriptors();
        if let Ok(mut before) = self.seat.try_borrow_mut() {
            *before = seat;
        }
        self.wanted.set(EventClasses::NONE);
        self.unwatched.borrow_mut().clear();
        if let Some((_, timer)) = self.timer.take() {
            self.server.stop_timer(timer);
        }
    }

    /// After a panic: everybody who waits is answered, and the server goes on without functions.
    pub(crate) fn give_up(&self) {
        self.stop(Seat::Broken);
        self.calls.close_all();
        self.triggered.borrow_mut().clear();
        for call in self.calls.waiting() {
            self.calls.answer(call, format!("-{BROKEN}\r\n").as_bytes());
        }
    }
}
