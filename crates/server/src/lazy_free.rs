//! Large values and flushed databases are dropped on a thread of their own, which owns no data.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use keyspace::{Garbage, Sink};

/// Starts the thread; it ends when the keyspace, which keeps the sink, is gone.
pub(crate) fn sink() -> Sink {
    let (sender, receiver) = channel::<Garbage>();
    let started = thread::Builder::new()
        .name("lazy-free".into())
        .spawn(move || receiver.into_iter().for_each(drop));
    match started {
        Ok(_) => Box::new(move |garbage| send(&sender, garbage)),
        // Without a thread it is dropped where it falls: slower, not wrong.
        Err(_) => Box::new(drop),
    }
}

fn send(sender: &Sender<Garbage>, garbage: Garbage) {
    // The thread ends only with its sender; if it died, the error gives the garbage back, and it is dropped here.
    drop(sender.send(garbage));
}
