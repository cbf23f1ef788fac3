//! What RedisGears 1.2.13 was measured at: redis-server 7.0.15 with it, CPython 3.7, two cores of this class, November 2026.

/// For the text above a table that quotes one of these figures.
pub(super) const CREDIT: &str = "Measured peer: RedisGears 1.2.13 in redis-server 7.0.15 with CPython 3.7, two cores of \
                                 this class, measured once with such data and such a load; not part of this run.";

/// Records a second, and microseconds of processor a record.
pub(super) struct Batch {
    pub(super) per_second: f64,
    pub(super) cpu_us: f64,
}

pub(super) const COUNT: Batch = Batch { per_second: 474e3, cpu_us: 1.81 };
pub(super) const FILTER_MAP_COUNT: Batch = Batch { per_second: 315e3, cpu_us: 2.12 };
pub(super) const COUNT_BY: Batch = Batch { per_second: 289e3, cpu_us: 2.18 };
pub(super) const HASHES_COUNT_BY: Batch = Batch { per_second: 158e3, cpu_us: 3.85 };

/// Calls a second with one connection, with fifty, and with fifty at depth 16.
pub(super) struct Trigger {
    pub(super) per_second: [f64; 3],
    /// Of one connection: half and 99 of 100 calls, in milliseconds.
    pub(super) single_ms: [f64; 2],
}

pub(super) const CONSTANT_ASYNC: Trigger =
    Trigger { per_second: [15.1e3, 70e3, 77e3], single_ms: [0.063, 0.103] };
pub(super) const CONSTANT_SYNC: Trigger =
    Trigger { per_second: [17.8e3, 63e3, 93e3], single_ms: [0.055, 0.095] };
pub(super) const DATA_ASYNC: Trigger =
    Trigger { per_second: [13.6e3, 53e3, 59e3], single_ms: [0.063, 0.159] };
pub(super) const DATA_SYNC: Trigger =
    Trigger { per_second: [15.7e3, 53e3, 103e3], single_ms: [0.063, 0.099] };

/// The share of SETs that a trigger leaves, with fifty connections and with fifty at depth 16.
pub(super) const KEYS_ASYNC: [f64; 2] = [1.0, 0.18];
pub(super) const KEYS_SYNC: [f64; 2] = [0.79, 0.13];

/// XADDs a second with a reader at work, and entries a second that it handles.
pub(super) const STREAM_ASYNC: [f64; 2] = [216e3, 128e3];
pub(super) const STREAM_SYNC: [f64; 2] = [133e3, 133e3];
