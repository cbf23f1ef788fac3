use std::ops::BitOr;

/// What dispatch and COMMAND must know of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl Flags {
            pub const NONE: Flags = Flags(0);
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
            const NAMED: &'static [(Flags, &'static str)] = &[$((Flags::$name, $text)),*];
        }
    };
}

flags! {
    WRITE = 0, "write";
    READONLY = 1, "readonly";
    /// Refused above `maxmemory`.
    DENY_OOM = 2, "denyoom";
    ADMIN = 3, "admin";
    PUBSUB = 4, "pubsub";
    /// Not from scripts and functions.
    NO_SCRIPT = 5, "noscript";
    BLOCKING = 6, "blocking";
    LOADING = 7, "loading";
    STALE = 8, "stale";
    FAST = 9, "fast";
    /// Runs before AUTH.
    NO_AUTH = 10, "no_auth";
    MAY_REPLICATE = 11, "may_replicate";
    MOVABLE_KEYS = 12, "movablekeys";
    /// Not between MULTI and EXEC.
    NO_MULTI = 13, "no_multi";
    SKIP_MONITOR = 14, "skip_monitor";
    SKIP_SLOWLOG = 15, "skip_slowlog";
    NO_ASYNC_LOADING = 16, "no_async_loading";
    ALLOW_BUSY = 17, "allow_busy";
    /// Came from the function engine, as a module's commands do.
    MODULE = 18, "module";
}

impl Flags {
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// As COMMAND INFO spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Flags::NAMED.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        self.and(other)
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn flags_join_and_name_themselves() {
        let flags = Flags::WRITE | Flags::FAST;
        assert!(flags.contains(Flags::FAST) && !flags.contains(Flags::ADMIN));
        assert_eq!(flags.names().collect::<Vec<_>>(), ["write", "fast"]);
    }
}
