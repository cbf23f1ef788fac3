use crate::clock::Clock;
use crate::command_table::CommandTable;

/// Tells commands' times for the statistics with as few looks at the clock as possible.
///
/// A look costs more than the cheapest commands take. So commands of bounded work are timed together as long as the same one
/// repeats, and every other command alone.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    /// The command that repeats, if any, and since when.
    run: Option<(usize, u64)>,
}

impl Stopwatch {
    /// Whether a command is timed with its likes. A log that wants even the shortest commands needs each one's time.
    #[inline]
    pub(crate) fn is_shared(is_quick: bool, slowlog_us: Option<u64>) -> bool {
        is_quick && slowlog_us.is_none_or(|limit| limit >= 1000)
    }

    /// The command that follows belongs to the run of `entry`.
    #[inline]
    pub(crate) fn share(&mut self, entry: usize, clock: &Clock, table: &mut CommandTable) {
        if self.run.is_some_and(|(running, _)| running == entry) {
            return;
        }
        let now_us = clock.monotonic_us();
        self.end_at(now_us, table);
        self.run = Some((entry, now_us));
    }

    /// Ends the run, if there is one: before a command that is timed alone, and at the end of a window of requests. Gives the
    /// time, if it had to be looked at.
    #[inline]
    pub(crate) fn end(&mut self, clock: &Clock, table: &mut CommandTable) -> Option<u64> {
        self.run?;
        let now_us = clock.monotonic_us();
        self.end_at(now_us, table);
        Some(now_us)
    }

    fn end_at(&mut self, now_us: u64, table: &mut CommandTable) {
        if let Some((entry, since_us)) = self.run.take() {
            table.entry_mut(entry).statistics.microseconds += now_us - since_us;
        }
    }
}
