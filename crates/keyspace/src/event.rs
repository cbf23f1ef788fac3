use std::ops::{BitOr, BitOrAssign};

use crate::removal::Removed;

/// The classes of notify-keyspace-events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventClass(u16);

impl EventClass {
    pub const GENERIC: EventClass = EventClass(1 << 0);
    pub const STRING: EventClass = EventClass(1 << 1);
    pub const LIST: EventClass = EventClass(1 << 2);
    pub const SET: EventClass = EventClass(1 << 3);
    pub const HASH: EventClass = EventClass(1 << 4);
    pub const SORTED_SET: EventClass = EventClass(1 << 5);
    pub const STREAM: EventClass = EventClass(1 << 6);
    pub const EXPIRED: EventClass = EventClass(1 << 7);
    pub const EVICTED: EventClass = EventClass(1 << 8);
    pub const MODULE: EventClass = EventClass(1 << 9);
    pub const KEYMISS: EventClass = EventClass(1 << 10);
    pub const NEW: EventClass = EventClass(1 << 11);

    const LETTERS: [(u8, EventClass); 12] = [
        (b'g', EventClass::GENERIC),
        (b'$', EventClass::STRING),
        (b'l', EventClass::LIST),
        (b's', EventClass::SET),
        (b'h', EventClass::HASH),
        (b'z', EventClass::SORTED_SET),
        (b't', EventClass::STREAM),
        (b'x', EventClass::EXPIRED),
        (b'e', EventClass::EVICTED),
        (b'd', EventClass::MODULE),
        (b'm', EventClass::KEYMISS),
        (b'n', EventClass::NEW),
    ];

    /// By its letter in notify-keyspace-events.
    pub fn from_letter(letter: u8) -> Option<EventClass> {
        Self::LETTERS.iter().find(|(other, _)| *other == letter).map(|(_, class)| *class)
    }

    pub fn letter(self) -> u8 {
        let (letter, _) = Self::LETTERS
            .iter()
            .find(|(_, class)| *class == self)
            .expect("every class has its letter");
        *letter
    }
}

/// Which classes of events are recorded at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest(u16);

impl Interest {
    pub const EMPTY: Interest = Interest(0);
    pub const ALL: Interest = Interest((1 << EventClass::LETTERS.len()) - 1);
    /// What `A` stands for in notify-keyspace-events: all but key misses and new keys.
    pub const COMMON: Interest =
        Interest(Self::ALL.0 & !(EventClass::KEYMISS.0 | EventClass::NEW.0));

    #[inline]
    pub const fn contains(self, class: EventClass) -> bool {
        self.0 & class.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<EventClass> for Interest {
    fn from(class: EventClass) -> Interest {
        Interest(class.0)
    }
}

impl BitOr for EventClass {
    type Output = Interest;

    fn bitor(self, other: EventClass) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl<T: Into<Interest>> BitOr<T> for Interest {
    type Output = Interest;

    fn bitor(self, other: T) -> Interest {
        Interest(self.0 | other.into().0)
    }
}

impl<T: Into<Interest>> BitOrAssign<T> for Interest {
    fn bitor_assign(&mut self, other: T) {
        *self = *self | other;
    }
}

/// What happened to a key.
#[derive(Debug)]
pub struct Event {
    pub kind: EventKind,
    pub db: usize,
    pub key: Box<[u8]>,
    /// What the key held, if this is its removal and somebody wants to know: see [`crate::WantedRemoval`].
    pub removed: Option<Box<Removed>>,
}

/// The name of an event, and the class it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKind {
    pub class: EventClass,
    pub name: &'static str,
    /// What it tells of takes elements away, so an empty collection may be left, which is no value to Redis. Streams may be empty.
    pub(crate) may_empty: bool,
}

/// Whether a write of this name takes elements away. Evaluated by the compiler.
const fn takes_away(name: &str) -> bool {
    const TAKING: [&str; 13] = [
        "lpop",
        "rpop",
        "lrem",
        "ltrim",
        "srem",
        "spop",
        "hdel",
        "zrem",
        "zpopmin",
        "zpopmax",
        "zremrangebyrank",
        "zremrangebyscore",
        "zremrangebylex",
    ];
    let mut index = 0;
    while index < TAKING.len() {
        if equal(TAKING[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

macro_rules! events {
    ($($class:ident: $($constant:ident = $name:literal),+;)+) => {
        impl EventKind {
            $($(pub const $constant: EventKind =
                EventKind { class: EventClass::$class, name: $name, may_empty: takes_away($name) };)+)+

            /// Every event that Redis names.
            pub const ALL: &[EventKind] = &[$($(EventKind::$constant),+),+];
        }
    };
}

events! {
    GENERIC: DEL = "del", EXPIRE = "expire", PERSIST = "persist", RENAME_FROM = "rename_from", RENAME_TO = "rename_to",
        MOVE_FROM = "move_from", MOVE_TO = "move_to", COPY_TO = "copy_to", RESTORE = "restore";
    STRING: SET = "set", SETRANGE = "setrange", SETBIT = "setbit", APPEND = "append", INCRBY = "incrby",
        INCRBYFLOAT = "incrbyfloat", DECRBY = "decrby", PFADD = "pfadd";
    LIST: LPUSH = "lpush", RPUSH = "rpush", LPOP = "lpop", RPOP = "rpop", LINSERT = "linsert", LSET = "lset", LREM = "lrem",
        LTRIM = "ltrim", SORTSTORE = "sortstore";
    SET: SADD = "sadd", SREM = "srem", SPOP = "spop", SINTERSTORE = "sinterstore", SUNIONSTORE = "sunionstore",
        SDIFFSTORE = "sdiffstore";
    HASH: HSET = "hset", HDEL = "hdel", HINCRBY = "hincrby", HINCRBYFLOAT = "hincrbyfloat";
    SORTED_SET: ZADD = "zadd", ZINCR = "zincr", ZREM = "zrem", ZPOPMIN = "zpopmin", ZPOPMAX = "zpopmax",
        ZREMRANGEBYRANK = "zremrangebyrank", ZREMRANGEBYSCORE = "zremrangebyscore", ZREMRANGEBYLEX = "zremrangebylex",
        ZUNIONSTORE = "zunionstore", ZINTERSTORE = "zinterstore", ZDIFFSTORE = "zdiffstore",
        ZRANGESTORE = "zrangestore", GEOSEARCHSTORE = "geosearchstore", GEORADIUSSTORE = "georadiusstore";
    STREAM: XADD = "xadd", XDEL = "xdel", XTRIM = "xtrim", XSETID = "xsetid", XGROUP_CREATE = "xgroup-create",
        XGROUP_CREATECONSUMER = "xgroup-createconsumer", XGROUP_DELCONSUMER = "xgroup-delconsumer",
        XGROUP_DESTROY = "xgroup-destroy", XGROUP_SETID = "xgroup-setid";
    EXPIRED: EXPIRED = "expired";
    EVICTED: EVICTED = "evicted";
    KEYMISS: KEYMISS = "keymiss";
    NEW: NEW = "new";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_letter_and_bit() {
        let mut all = Interest::EMPTY;
        for (letter, class) in EventClass::LETTERS {
            assert!(!all.contains(class));
            all |= class;
            assert_eq!(EventClass::from_letter(letter), Some(class));
            assert_eq!(class.letter(), letter);
        }
        assert_eq!(all, Interest::ALL);
        assert!(!Interest::COMMON.contains(EventClass::KEYMISS));
        assert_eq!(EventClass::from_letter(b'K'), None);
    }

    #[test]
    fn event_names_are_unique() {
        let mut names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventKind::ALL.len());
    }
}
