//! What happens when the data takes more than it may.

use keyspace::EvictionPolicy;

use crate::config::Config;
use crate::state::State;

/// How keys are evicted, out of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Without one nothing is evicted.
    policy: Option<EvictionPolicy>,
    samples: usize,
    /// How long commands and cron may evict at a time.
    budget_us: u64,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Self {
        Settings {
            policy: EvictionPolicy::from_name(config.text("maxmemory-policy")),
            samples: config.number("maxmemory-samples") as usize,
            budget_us: budget_us(config.number("maxmemory-eviction-tenacity")),
        }
    }

    pub(crate) fn access_policy(&self) -> keyspace::AccessPolicy {
        self.policy.map(EvictionPolicy::access_policy).unwrap_or_default()
    }
}

/// In Redis' steps: 50 us each up to 500 us at 10, then 15 % more with each, up to 100, which knows no end.
fn budget_us(tenacity: i64) -> u64 {
    match tenacity {
        ..=10 => 50 * tenacity.unsigned_abs(),
        11..100 => (500.0 * 1.15_f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

/// How matters stand with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// There is too little, and more can be made: later, because the time is over.
    Coming,
    /// There is too little, and nothing may be evicted.
    None,
}

/// Evicts until there is room, for as long as one eviction may take. An eviction shows in the account at once, so the loop
/// takes no key too many.
#[inline]
pub(crate) fn make_room(state: &mut State) -> Room {
    if state.has_memory() { Room::Enough } else { evict(state) }
}

#[cold]
fn evict(state: &mut State) -> Room {
    let Some(policy) = state.settings.eviction.policy else { return Room::None };
    let (samples, budget_us) = (state.settings.eviction.samples, state.settings.eviction.budget_us);
    let started_us = state.clock.monotonic_us();
    let room = loop {
        if state.has_memory() {
            break Room::Enough;
        }
        if !state.keyspace.evict_one(policy, samples) {
            break Room::None;
        }
        // Looked at each time: where few keys expire, finding one may take long.
        if state.clock.monotonic_us() - started_us >= budget_us {
            break Room::Coming;
        }
    };
    if state.keyspace.has_events() {
        crate::dispatch::tell_events(state);
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_half_a_millisecond_by_default_and_endless_at_most() {
        assert_eq!([0, 1, 10, 11].map(budget_us), [0, 50, 500, 575]);
        assert!((10..100).all(|tenacity| budget_us(tenacity) < budget_us(tenacity + 1)));
        assert_eq!(budget_us(100), u64::MAX);
    }
}
