use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The one clock, read once a turn of the loop. TTL, TIME, stream ids, timeouts and cron all follow it.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix_us: i64,
    turn_us: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let mut clock = Clock { start: Instant::now(), unix_us: 0, turn_us: 0 };
        clock.tick();
        clock
    }

    pub(crate) fn tick(&mut self) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.unix_us = since_epoch.as_micros() as i64;
        self.turn_us = self.monotonic_us();
    }

    pub(crate) fn unix_us(&self) -> i64 {
        self.unix_us
    }

    pub(crate) fn unix_ms(&self) -> i64 {
        self.unix_us / 1000
    }

    /// The start of this turn in microseconds since the start of all.
    pub(crate) fn turn_us(&self) -> u64 {
        self.turn_us
    }

    /// Microseconds since the start, read anew: for durations only.
    pub(crate) fn monotonic_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }
}
