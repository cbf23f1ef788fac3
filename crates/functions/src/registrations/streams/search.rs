//! The search for streams that were there before anyone looked.

use super::backlog::Backlog;
use super::{Pattern, StreamStatus, stream_of};
use crate::engine::{Doors, Engine};
use crate::identifier::RegistrationNumber;
use crate::readers::stream;

/// A walk over the keyspace for streams that were there before their registration.
pub(crate) struct StreamSearch {
    number: RegistrationNumber,
    epoch: u64,
    cursor: Vec<u8>,
}

impl Engine {
    /// Looks for streams that are there already: after the registration, a pause, a failure.
    pub(crate) fn follow_streams(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = StreamStatus::Ok;
        trigger.epoch += 1;
        let epoch = trigger.epoch;
        self.searches.push_back(StreamSearch { number, epoch, cursor: b"0".to_vec() });
    }

    /// One step of a search; it is put back if there is more to see.
    pub(crate) fn search_streams(&mut self, doors: &mut Doors, mut search: StreamSearch) {
        let Some(registration) = self.registrations.get_listed(search.number) else { return };
        let Some(trigger) = stream_of(registration) else { return };
        if trigger.epoch != search.epoch || trigger.status != StreamStatus::Ok {
            return;
        }
        let pattern = trigger.options.pattern.clone();
        let (found, next) = match &pattern {
            Pattern::Exactly(key) if stream::length(doors.host, key) > 0 => {
                (vec![key.clone()], None)
            }
            Pattern::Exactly(_) => (Vec::new(), None),
            Pattern::Prefix(_) => stream::find(doors.host, &pattern.glob(), &search.cursor),
        };
        for key in found {
            let Some(trigger) = self.stream_trigger(search.number) else { return };
            if !trigger.streams.contains_key(&key) {
                let waiting = stream::length(doors.host, &key);
                self.touch_stream(doors, search.number, &key, Backlog::new(waiting, None));
            }
        }
        if let Some(next) = next {
            search.cursor = next;
            self.searches.push_back(search);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Argument;
    use crate::registrations::streams::testing::{NOTHING, PENDING, entries, new_entries};
    use crate::testing::{Stage, WORKER, plan, text};

    #[test]
    fn entries_from_before_the_registration_run_at_once() {
        let mut stage = Stage::new();
        stage.answers(&[
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(9), &entries(&["1-1"])),
        ]);
        stage.command("RG.PYEXECUTE code");
        let kwargs = [("prefix", text("s")), ("batch", Argument::Int(9))];
        stage.register(WORKER, 0, plan("StreamReader", &[]), &kwargs);
        stage.script_done(WORKER);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn streams_with_a_prefix_are_looked_for_over_the_whole_keyspace() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("StreamReader", &[]), &[("prefix", text("s*"))]);
        stage.script_done(WORKER);
        let scan = |cursor| format!("SCAN {cursor} MATCH s* COUNT 1000 TYPE stream");
        stage.answers(&[
            (&scan(0), "*2\r\n$1\r\n5\r\n*0\r\n"),
            (&scan(5), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\ns\r\n"),
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(1), &entries(&["1-1"])),
        ]);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn a_prefix_is_no_glob_for_the_search_either() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("StreamReader", &[]), &[("prefix", text("a[b]\\?*"))]);
        stage.script_done(WORKER);
        stage.calls();
        stage.work();
        let scan = r"SCAN 0 MATCH a\[b]\\\?* COUNT 1000 TYPE stream";
        assert_eq!(stage.calls(), [scan]);
    }
}
