use super::{Call, Command, Refusal, spec};
use crate::engine::{Answer, Doors, Engine};
use crate::worker::WorkerId;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.pystats", "Returns how much memory Python uses.", ""),
    args: 0..=usize::MAX,
    run,
};

/// What all Python processes took. It is looked at, not counted: a peak between two looks is missed.
#[derive(Default)]
pub(crate) struct MemoryAccount {
    peak_bytes: u64,
    /// Of sessions that are over.
    ended_bytes: u64,
}

/// Memory in bytes, in RedisGears' words.
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) peak: u64,
    pub(crate) current: u64,
}

/// RG.PYSTATS
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let memory = engine.memory(call.doors);
    call.reply.array(6);
    for (name, bytes) in [
        ("TotalAllocated", memory.total),
        ("PeakAllocated", memory.peak),
        ("CurrAllocated", memory.current),
    ] {
        call.reply.text(name);
        call.reply.integer(bytes as i64);
    }
    Ok(Answer::Ready)
}

impl Engine {
    pub(crate) fn memory(&mut self, doors: &mut Doors) -> Memory {
        let of_sessions = |engine: &Engine, doors: &Doors| {
            let workers = engine.sessions.by_worker.keys();
            workers
                .filter_map(|worker| doors.workers.usage(*worker))
                .map(|usage| usage.rss_bytes)
                .sum()
        };
        let current = match doors.workers.usage_total().rss_bytes {
            0 => of_sessions(self, doors),
            all => all,
        };
        self.memory.peak_bytes = self.memory.peak_bytes.max(current);
        let total = current + self.memory.ended_bytes;
        Memory { total, peak: self.memory.peak_bytes, current }
    }

    /// A process is about to end.
    pub(crate) fn account_for_end_of(&mut self, doors: &mut Doors, worker: WorkerId) {
        if let Some(usage) = doors.workers.usage(worker) {
            self.memory.peak_bytes = self.memory.peak_bytes.max(usage.rss_bytes);
            self.memory.ended_bytes += usage.rss_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;

    #[test]
    fn memory_is_that_of_the_processes_that_run_and_its_peak_stays() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        let stats = |total, peak, current| {
            format!(
                "*6|$14|TotalAllocated|:{total}|$13|PeakAllocated|:{peak}|$13|CurrAllocated|:{current}|"
            )
        };
        assert_eq!(stage.command("RG.PYSTATS"), stats(1000, 1000, 1000));
        stage.script_done(crate::testing::WORKER);
        assert_eq!(stage.command("RG.PYSTATS"), stats(1000, 1000, 0));
    }
}
