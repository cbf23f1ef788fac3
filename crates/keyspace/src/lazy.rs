//! The keyspace has no thread. What is large is handed to its owner, who may drop it on a side thread.

use crate::entry::Entry;
use crate::removal::Removed;
use crate::store::Store;
use crate::value::ValueRef;

/// Something whose only purpose left is to be dropped, which takes its time.
pub struct Garbage {
    #[expect(dead_code, reason = "it is held to be dropped")]
    contents: Contents,
}

#[expect(dead_code, reason = "it is held to be dropped")]
enum Contents {
    Entry(Entry),
    Store(Box<Store>),
}

/// Takes garbage away.
pub type Sink = Box<dyn FnMut(Garbage)>;

/// Fewer allocations are freed faster than they change threads.
const WORK_MIN: usize = 64;

impl Garbage {
    /// `None` if dropping it was quick.
    pub(crate) fn of_entry(entry: Entry) -> Option<Garbage> {
        match entry.as_ref().value() {
            ValueRef::Object(object) if object.work() > WORK_MIN => {
                Some(Garbage { contents: Contents::Entry(entry) })
            }
            _ => None,
        }
    }

    /// What somebody wanted to know of a removal, and does not need any more. `None` if dropping it was quick.
    pub fn of_removed(removed: Removed) -> Option<Garbage> {
        Garbage::of_entry(removed.into_entry()?)
    }

    pub(crate) fn of_store(store: Store) -> Option<Garbage> {
        (store.table().len() > WORK_MIN)
            .then(|| Garbage { contents: Contents::Store(Box::new(store)) })
    }
}

const _: () = {
    const fn may_change_threads<T: Send>() {}
    may_change_threads::<Garbage>();
};
