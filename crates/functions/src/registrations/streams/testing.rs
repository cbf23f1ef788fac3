//! A stage with one registration on a stream, and what its host says.

use crate::plan::{Argument, StepKind};
use crate::testing::{Stage, WORKER, plan, text};
use crate::worker::{ExecutionId, FromWorker};

pub(super) const PENDING: &str =
    "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS s 0";
pub(super) const NOTHING: &str = "*-1\r\n";

pub(super) fn new_entries(count: usize) -> String {
    format!("XREADGROUP GROUP __gears_consumer_group__ __gears_client__ COUNT {count} STREAMS s >")
}

pub(super) fn entries(ids: &[&str]) -> String {
    let mut wire = format!("*1\r\n*2\r\n$1\r\ns\r\n*{}\r\n", ids.len());
    for id in ids {
        let length = id.len();
        wire += &format!("*2\r\n${length}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    }
    wire
}

pub(super) const SUMMARY: &str = "XPENDING s __gears_consumer_group__";

/// The summary of a group in which one entry is pending.
pub(super) fn pending(id: &str) -> String {
    let length = id.len();
    format!("*4\r\n:1\r\n${length}\r\n{id}\r\n${length}\r\n{id}\r\n*0\r\n")
}

pub(super) fn registered(kwargs: &[(&str, Argument)]) -> Stage {
    let mut kwargs = kwargs.to_vec();
    kwargs.push(("prefix", text("s")));
    let mut stage = Stage::registered(plan("StreamReader", &[StepKind::ForEach]), &kwargs);
    stage.answers(&[("XLEN s", ":0\r\n"), (PENDING, NOTHING), (&new_entries(1), NOTHING)]);
    stage.work();
    stage
}

impl Stage {
    pub(super) fn answers(&mut self, answers: &[(&str, &str)]) {
        for (command, answer) in answers {
            self.host.answers.insert(command.to_string(), answer.to_string());
        }
    }

    /// The stream gets an entry, its first touch included.
    pub(super) fn grows(&mut self, length: u64, ids: &[&str]) {
        self.answers(&[("XLEN s", &format!(":{length}\r\n")), (&new_entries(1), &entries(ids))]);
        self.event("xadd", "s");
        self.work();
    }

    pub(super) fn calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.host.calls)
    }

    pub(super) fn dead_lettered(&self) -> u64 {
        self.engine.registrations.listed().next().unwrap().1.statistics.dead_lettered
    }

    pub(super) fn withdrawn(&mut self, execution: u64) {
        self.from(WORKER, FromWorker::Withdrawn { execution: ExecutionId(execution) });
    }

    pub(super) fn status(&mut self) -> &'static str {
        let number = self.engine.registrations.listed().next().unwrap().0;
        self.engine.stream_trigger(number).unwrap().status.name()
    }
}
