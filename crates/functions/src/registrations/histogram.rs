//! How long things took: counts in buckets that grow with the time, so that percentiles cost a fixed 2 KiB and noting one a
//! few nanoseconds.
//!
//! Our own, and not `hdrhistogram`: that allocates by the range it is asked for (some 30 KiB for ours), checks and widens it
//! at each record, and brings iterators and codecs that nobody here needs.

/// Buckets to each doubling: a time is told to within a sixteenth of itself.
const PARTS: u64 = 16;
const PARTS_BITS: u32 = PARTS.trailing_zeros();

/// The last bucket begins at nine hours; what takes longer is counted there.
const BUCKETS: usize = 512;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: Box::new([0; BUCKETS]), max_us: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, us: u64) {
        self.max_us = self.max_us.max(us);
        let count = &mut self.counts[bucket(us)];
        *count += 1;
        if *count == u32::MAX {
            // Percentiles ask for shares only: they stay when everything is halved.
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    pub(crate) fn max_us(&self) -> u64 {
        self.max_us
    }

    /// A time that so many of a hundred did not exceed; 0 without any.
    pub(crate) fn percentile_us(&self, percent: u64) -> u64 {
        let total: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        reached.map_or(0, |bucket| longest_us(bucket).min(self.max_us))
    }
}

/// Up to twice `PARTS` each microsecond has a bucket, from there on each doubling has `PARTS`.
fn bucket(us: u64) -> usize {
    let shift = (u64::BITS - us.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    let bucket = u64::from(shift) * PARTS + (us >> shift);
    (bucket as usize).min(BUCKETS - 1)
}

/// The longest time that falls into a bucket.
fn longest_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PARTS).saturating_sub(1);
    let part = bucket - shift * PARTS;
    if bucket == BUCKETS as u64 - 1 { u64::MAX } else { ((part + 1) << shift) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        times.into_iter().for_each(|us| histogram.record(us));
        histogram
    }

    #[test]
    fn every_time_falls_into_a_bucket_that_is_a_sixteenth_of_it_wide_at_most() {
        let mut previous = 0;
        for us in (0..5000).chain((13..34).flat_map(|bits| [1 << bits, (1 << bits) + 1234])) {
            let bucket = bucket(us);
            let longest = longest_us(bucket);
            assert!(longest >= us && longest - us <= us / 16, "{us}: up to {longest}");
            assert!(bucket >= previous, "{us}");
            previous = bucket;
        }
    }

    #[test]
    fn percentiles_are_told_to_within_a_sixteenth_and_the_longest_exactly() {
        let histogram = of(1..=1000);
        assert!((500..=531).contains(&histogram.percentile_us(50)));
        assert!((990..=1000).contains(&histogram.percentile_us(99)));
        assert_eq!((histogram.percentile_us(100), histogram.max_us()), (1000, 1000));
    }

    #[test]
    fn one_time_is_every_percentile_and_none_is_nothing() {
        let histogram = of([1_000_003]);
        assert_eq!([1, 50, 99].map(|percent| histogram.percentile_us(percent)), [1_000_003; 3]);
        assert_eq!(of([]).percentile_us(50), 0);
        assert_eq!(of([0, 0]).percentile_us(99), 0);
    }

    #[test]
    fn what_takes_longer_than_any_bucket_is_still_counted() {
        let histogram = of([1, u64::MAX]);
        assert_eq!((histogram.percentile_us(50), histogram.percentile_us(99)), (1, u64::MAX));
    }

    #[test]
    fn a_bucket_that_is_full_leaves_the_shares_as_they_are() {
        let mut histogram = of([10, 100]);
        histogram.counts[bucket(10)] = u32::MAX - 1;
        histogram.counts[bucket(100)] = u32::MAX / 2;
        histogram.record(10);
        assert_eq!(histogram.percentile_us(50), 10);
        assert!((100..=106).contains(&histogram.percentile_us(99)));
        assert!(histogram.counts[bucket(10)] < u32::MAX);
    }

    #[test]
    fn it_takes_two_kibibytes() {
        assert_eq!(size_of::<[u32; BUCKETS]>(), 2048);
    }
}
