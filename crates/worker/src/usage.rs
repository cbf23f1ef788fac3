//! Process figures from `/proc`.

use functions::worker::Usage;

use crate::sys;

/// `None` once the process is gone.
pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (page, ticks) = sys::proc_units();
    // The command name in parentheses may hold blanks and parentheses itself: fields are counted from its end.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let resident_pages: u64 = fields.nth(8)?.parse().ok()?;
    Some(Usage {
        pid,
        rss_bytes: resident_pages * page,
        cpu_us: (user + system) * (1_000_000 / ticks),
    })
}

/// What would be free if the process ended: most of a fresh worker is shared with the process that it was forked from.
pub(crate) fn private_bytes(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let private = rollup.lines().filter(|line| line.starts_with("Private_"));
    let kibibytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    private.map(|line| kibibytes(line).map(|count| count * 1024)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_figures_and_none_has_not() {
        let own = usage(std::process::id()).unwrap();
        assert!(own.rss_bytes > 100_000);
        let private = private_bytes(own.pid).unwrap();
        assert!(private > 10_000 && private <= 2 * own.rss_bytes, "{private} {}", own.rss_bytes);
        assert!(usage(u32::MAX).is_none() && private_bytes(u32::MAX).is_none());
    }
}
