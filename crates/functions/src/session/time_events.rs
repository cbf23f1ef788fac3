//! Callbacks that a script wants to have called from time to time: `registerTE()`.
//!
//! They live in the worker and end with it: nothing of them is pickled. They keep their session until another one takes
//! its place.

use super::{Process, SessionNumber};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::plan::Argument;
use crate::worker::WorkerId;

impl Engine {
    pub(crate) fn requested_time_event(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        worker: WorkerId,
        event: u32,
        period_s: u64,
    ) -> Result<Argument, String> {
        let period_ms = i64::try_from(period_s.saturating_mul(1000)).unwrap_or(i64::MAX).max(1);
        let session = self.sessions.by_number.get_mut(&number).expect("its worker just spoke");
        session.time_events += 1;
        let at_ms = doors.host.now_ms().saturating_add(period_ms);
        self.deadlines.insert((at_ms, Due::TimeEvent(number, worker, event, period_ms)));
        Ok(Argument::Bool(true))
    }

    pub(crate) fn time_event_is_due(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        worker: WorkerId,
        event: u32,
        period_ms: i64,
    ) {
        let Some(session) = self.sessions.by_number.get(&number) else { return };
        if session.process != Process::Running(worker) || session.time_events == 0 {
            return;
        }
        doors.workers.time_event(worker, event);
        let at_ms = doors.host.now_ms().saturating_add(period_ms);
        self.deadlines.insert((at_ms, Due::TimeEvent(number, worker, event, period_ms)));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Stage, WORKER};
    use crate::worker::{FromWorker, Token};

    fn every_two_seconds() -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code ID clock");
        let event = FromWorker::TimeEvent { token: Token(1), number: 4, period_s: 2 };
        stage.from(WORKER, event);
        stage.script_done(WORKER);
        stage.sent();
        stage
    }

    #[test]
    fn a_time_event_comes_again_and_again_and_keeps_its_session() {
        let mut stage = every_two_seconds();
        stage.at(1999);
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(2000);
        assert_eq!(stage.sent(), ["time event w0 4"]);
        stage.at(4500);
        assert_eq!(stage.sent(), ["time event w0 4"]);
    }

    #[test]
    fn it_ends_with_its_worker_and_when_another_session_takes_the_place_of_its_own() {
        let mut stage = every_two_seconds();
        stage.crash(WORKER);
        assert!(stage.host.logs.iter().any(|line| line.contains("1 time events went")));
        assert!(stage.engine.sessions.by_number.is_empty());

        let mut stage = every_two_seconds();
        stage.command("RG.PYEXECUTE code ID clock UPGRADE");
        stage.script_done(crate::worker::WorkerId(1));
        stage.at(60_000);
        assert!(stage.sent().iter().all(|sent| !sent.starts_with("time event")));
    }
}
