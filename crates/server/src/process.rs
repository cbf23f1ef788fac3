//! What the kernel says of this process.

use std::fs;

/// Pages and clock ticks are 4 KiB and 10 ms on every Linux that matters here; procfs counts in them.
const PAGE_BYTES: u64 = 4096;
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 =
        statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * PAGE_BYTES
}

/// User and system time.
pub(crate) fn cpu_seconds() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the command in parentheses and may hold blanks; fields 14 and 15 follow it.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after
        .split_whitespace()
        .skip(11)
        .map(|ticks| ticks.parse().unwrap_or(0.0) / TICKS_PER_SECOND);
    (fields.next().unwrap_or(0.0), fields.next().unwrap_or(0.0))
}
