//! Callbacks that a script wants to have called from time to time: `registerTE()`.
//!
//! They live in the worker and end with it: nothing of them is pickled. They keep their session until another one takes
//! its place. One that has a key is there for all to see: whoever deletes the key ends it, and a second one with the same
//! key does not begin.

use resp::Reply;

use super::{Process, Session, SessionNumber};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::host::{Host, ask};
use crate::plan::Argument;
use crate::worker::WorkerId;

/// How the value of a time event's key begins, so that one whose server or worker is gone can be told from other data.
const MARK: &str = "mainspring time event of session ";

/// The key of a time event, and what it holds while the event is alive.
pub(crate) struct EventKey {
    event: u32,
    key: Vec<u8>,
    value: String,
}

impl EventKey {
    fn is_there(&self, host: &mut dyn Host) -> bool {
        matches!(ask(host, &[b"GET", &self.key]), Ok(Reply::Bulk(value)) if value == self.value.as_bytes())
    }

    /// The event is over.
    fn remove(&self, host: &mut dyn Host) {
        if self.is_there(host) {
            // Should it fail, the next event with this key finds that nobody stands behind it.
            let _removed = ask(host, &[b"DEL", &self.key]);
        }
    }
}

/// What `registerTE()` asks for.
pub(crate) struct TimeEvent {
    pub(crate) number: u32,
    pub(crate) period_s: u64,
    pub(crate) key: Option<String>,
}

impl Engine {
    pub(crate) fn requested_time_event(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        worker: WorkerId,
        event: TimeEvent,
    ) -> Result<Argument, String> {
        let TimeEvent { number: event, period_s, key } = event;
        if let Some(key) = key {
            let name = &self.sessions.by_number[&number].name;
            let value = format!("{MARK}{name}, number {event}, every {period_s} s");
            let key = EventKey { event, key: key.into_bytes(), value };
            if !self.claim(doors.host, &key)? {
                return Ok(Argument::Bool(false));
            }
            let session = self.sessions.by_number.get_mut(&number).expect("its worker just spoke");
            session.event_keys.push(key);
        }
        let period_ms = i64::try_from(period_s.saturating_mul(1000)).unwrap_or(i64::MAX).max(1);
        let session = self.sessions.by_number.get_mut(&number).expect("its worker just spoke");
        session.time_events += 1;
        let at_ms = doors.host.now_ms().saturating_add(period_ms);
        self.deadlines.insert((at_ms, Due::TimeEvent(number, worker, event, period_ms)));
        Ok(Argument::Bool(true))
    }

    /// False if the key holds something already, be it another event or anything else.
    fn claim(&self, host: &mut dyn Host, wanted: &EventKey) -> Result<bool, String> {
        match ask(host, &[b"GET", &wanted.key]) {
            Ok(Reply::Null) => {}
            Ok(Reply::Bulk(value)) if value.starts_with(MARK.as_bytes()) => {
                let keys = self.sessions.by_number.values().flat_map(|session| &session.event_keys);
                let is_it =
                    |known: &EventKey| known.key == wanted.key && known.value.as_bytes() == value;
                if keys.into_iter().any(is_it) {
                    return Ok(false);
                }
            }
            Ok(_) | Err(_) => return Ok(false),
        }
        ask(host, &[b"SET", &wanted.key, wanted.value.as_bytes()]).map(|_| true)
    }

    pub(crate) fn time_event_is_due(
        &mut self,
        doors: &mut Doors,
        number: SessionNumber,
        worker: WorkerId,
        event: u32,
        period_ms: i64,
    ) {
        let Some(session) = self.sessions.by_number.get_mut(&number) else { return };
        if session.process != Process::Running(worker) || session.time_events == 0 {
            return;
        }
        let place = session.event_keys.iter().position(|key| key.event == event);
        if let Some(place) = place
            && !session.event_keys[place].is_there(doors.host)
        {
            session.event_keys.swap_remove(place);
            session.time_events -= 1;
            return self.end_session_if_idle(doors, number);
        }
        doors.workers.time_event(worker, event);
        let at_ms = doors.host.now_ms().saturating_add(period_ms);
        self.deadlines.insert((at_ms, Due::TimeEvent(number, worker, event, period_ms)));
    }
}

impl Session {
    /// Ends all time events; tells how many there were.
    pub(super) fn end_time_events(&mut self, host: &mut dyn Host) -> usize {
        self.event_keys.drain(..).for_each(|key| key.remove(host));
        std::mem::take(&mut self.time_events)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Stage, WORKER};
    use crate::worker::{FromWorker, Token, WorkerId};

    fn event(key: Option<&str>) -> FromWorker {
        let key = key.map(str::to_owned);
        FromWorker::TimeEvent { token: Token(1), number: 4, period_s: 2, key }
    }

    fn every_two_seconds(key: Option<&str>) -> Stage {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET function-timeout-ms 0");
        stage.command("RG.PYEXECUTE code ID clock");
        stage.host.answers.insert("GET k".into(), "$-1\r\n".into());
        stage.from(WORKER, event(key));
        stage.script_done(WORKER);
        stage.sent();
        stage
    }

    fn value(session: &str) -> String {
        format!("mainspring time event of session {session}, number 4, every 2 s")
    }

    fn holds(stage: &mut Stage, value: &str) {
        stage.host.answers.insert("GET k".into(), format!("${}\r\n{value}\r\n", value.len()));
        stage.host.calls.clear();
    }

    #[test]
    fn a_time_event_comes_again_and_again_and_keeps_its_session() {
        let mut stage = every_two_seconds(None);
        stage.at(1999);
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(2000);
        assert_eq!(stage.sent(), ["time event w0 4"]);
        stage.at(4500);
        assert_eq!(stage.sent(), ["time event w0 4"]);
    }

    #[test]
    fn it_ends_with_its_worker_and_when_another_session_takes_the_place_of_its_own() {
        let mut stage = every_two_seconds(None);
        stage.crash(WORKER);
        assert!(stage.host.logs.iter().any(|line| line.contains("1 time events went")));
        assert!(stage.engine.sessions.by_number.is_empty());

        let mut stage = every_two_seconds(None);
        stage.command("RG.PYEXECUTE code ID clock UPGRADE");
        stage.script_done(WorkerId(1));
        stage.at(60_000);
        assert!(stage.sent().iter().all(|sent| !sent.starts_with("time event")));
    }

    #[test]
    fn one_with_a_key_goes_on_while_the_key_is_there() {
        let mut stage = every_two_seconds(Some("k"));
        let value = value("clock");
        assert_eq!(stage.host.calls, ["GET k".to_owned(), format!("SET k {value}")]);
        holds(&mut stage, &value);
        stage.at(2000);
        assert_eq!(stage.sent(), ["time event w0 4"]);
        holds(&mut stage, "something else");
        stage.at(4000);
        assert_eq!(stage.sent(), ["kill w0"]);
        assert_eq!(stage.engine.next_deadline_ms(), None);
    }

    #[test]
    fn its_key_goes_with_it() {
        let mut stage = every_two_seconds(Some("k"));
        holds(&mut stage, &value("clock"));
        stage.crash(WORKER);
        assert_eq!(stage.host.calls, ["GET k", "DEL k"]);

        let mut stage = every_two_seconds(Some("k"));
        holds(&mut stage, "something else");
        stage.command("RG.PYEXECUTE code ID clock UPGRADE");
        stage.script_done(WorkerId(1));
        assert_eq!(stage.host.calls, ["GET k"]);
    }

    #[test]
    fn a_key_that_holds_something_begins_no_event_unless_it_is_of_one_that_is_gone() {
        for (held, answer) in [
            (value("clock"), "Bool(false)"),
            (value("gone"), "Bool(true)"),
            ("other data".into(), "Bool(false)"),
        ] {
            let mut stage = every_two_seconds(Some("k"));
            holds(&mut stage, &held);
            stage.command("RG.PYEXECUTE code ID other");
            stage.sent();
            stage.from(WorkerId(1), event(Some("k")));
            assert_eq!(stage.sent(), [format!("answer w1 t1 {answer}")], "{held}");
        }
    }
}
