use crate::entry::ACCESS_BITS;

/// What the 24 bits that each entry has for its accesses count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessPolicy {
    /// The second of the last access.
    #[default]
    Lru,
    /// The minute of the last access (16 bits) and a logarithmic counter of accesses that decays (8 bits).
    Lfu,
}

/// LFU's two settings, as `lfu-log-factor` and `lfu-decay-time` set them.
#[derive(Clone, Copy, Debug)]
pub struct LfuOptions {
    pub log_factor: u32,
    pub decay_minutes: u32,
}

impl Default for LfuOptions {
    fn default() -> Self {
        LfuOptions { log_factor: 10, decay_minutes: 1 }
    }
}

/// Turns time and chance into what entries keep.
pub(crate) struct AccessClock {
    pub(crate) policy: AccessPolicy,
    pub(crate) lfu: LfuOptions,
    seconds: u32,
    random: u64,
}

const MASK: u32 = (1 << ACCESS_BITS) - 1;
const MINUTES_MASK: u32 = 0xffff;
/// A new key must not be the first to be evicted.
const COUNTER_INITIAL: u32 = 5;
const COUNTER_MAX: u32 = 255;

impl AccessClock {
    pub(crate) fn new(seed: u64) -> AccessClock {
        AccessClock {
            policy: AccessPolicy::default(),
            lfu: LfuOptions::default(),
            seconds: 0,
            // xorshift stands still at zero.
            random: seed | 1,
        }
    }

    pub(crate) fn set_now(&mut self, now_ms: i64) {
        self.seconds = now_ms.div_euclid(1000) as u32;
    }

    #[inline]
    pub(crate) fn fresh(&self) -> u32 {
        match self.policy {
            AccessPolicy::Lru => self.seconds & MASK,
            AccessPolicy::Lfu => self.minutes() << 8 | COUNTER_INITIAL,
        }
    }

    #[inline]
    pub(crate) fn touched(&mut self, access: u32) -> u32 {
        match self.policy {
            AccessPolicy::Lru => self.seconds & MASK,
            AccessPolicy::Lfu => self.minutes() << 8 | self.counted(access),
        }
    }

    pub(crate) fn idle_seconds(&self, access: u32) -> u32 {
        match self.policy {
            AccessPolicy::Lru => self.seconds.wrapping_sub(access) & MASK,
            AccessPolicy::Lfu => self.idle_minutes(access) * 60,
        }
    }

    pub(crate) fn with_idle_seconds(&self, seconds: u32) -> u32 {
        self.seconds.wrapping_sub(seconds) & MASK
    }

    pub(crate) fn with_frequency(&self, counter: u8) -> u32 {
        self.minutes() << 8 | u32::from(counter)
    }

    /// The counter after the decay that is due.
    pub(crate) fn frequency(&self, access: u32) -> u8 {
        let decay = self.idle_minutes(access).checked_div(self.lfu.decay_minutes).unwrap_or(0);
        (access & COUNTER_MAX).saturating_sub(decay) as u8
    }

    fn counted(&mut self, access: u32) -> u32 {
        let counter = u32::from(self.frequency(access));
        if counter == COUNTER_MAX {
            return counter;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let odds =
            u64::from(counter.saturating_sub(COUNTER_INITIAL)) * u64::from(self.lfu.log_factor) + 1;
        counter + u32::from(self.random.is_multiple_of(odds))
    }

    fn minutes(&self) -> u32 {
        (self.seconds / 60) & MINUTES_MASK
    }

    fn idle_minutes(&self, access: u32) -> u32 {
        self.minutes().wrapping_sub(access >> 8) & MINUTES_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_counts_from_the_last_access_across_the_wrap_of_the_clock() {
        let mut clock = AccessClock::new(1);
        clock.set_now(((1 << ACCESS_BITS) - 2) * 1000);
        let access = clock.fresh();
        clock.set_now(((1 << ACCESS_BITS) + 3) * 1000);
        assert_eq!(clock.idle_seconds(access), 5);
    }

    #[test]
    fn a_counter_grows_slower_the_higher_it_is_and_decays_by_the_minute() {
        let mut clock = AccessClock::new(1);
        clock.policy = AccessPolicy::Lfu;
        let mut access = clock.fresh();
        assert_eq!(clock.frequency(access), 5);
        for _ in 0..1_000 {
            access = clock.touched(access);
        }
        let counter = clock.frequency(access);
        assert!((10..40).contains(&counter), "{counter}");
        clock.set_now(4 * 60_000);
        assert_eq!(clock.frequency(access), counter - 4);
    }
}
