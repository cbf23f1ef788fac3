//! The engine's section of INFO.

use std::fmt::Write;

use crate::engine::{Doors, Engine};
use crate::metrics::{Figure, of_registration, of_runs, of_session, state_of};

/// How much of a description a line shows.
const DESCRIPTION_MAX: usize = 64;

impl Engine {
    /// Appends the lines of `INFO rg`, its title not among them.
    pub fn info(&mut self, doors: &mut Doors, out: &mut String) {
        let memory = self.memory(doors);
        let registrations = self.registrations.listed().count();
        for (name, value) in [
            ("nexecutions", self.executions.len() as u64),
            ("nregistrations", registrations as u64),
            ("TotalAllocated", memory.total),
            ("PeakAllocated", memory.peak),
            ("CurrAllocated", memory.current),
            ("nsessions", self.sessions.by_number.len() as u64),
            ("nworkers", self.sessions.by_worker.len() as u64),
            ("queued", self.queued as u64),
        ] {
            write!(out, "rg_{name}:{value}\r\n").expect(WRITES);
        }
        out.push_str("rg_runs:");
        write_figures(&of_runs(&self.runs), out);
        for (number, registration) in self.registrations.listed() {
            let session = &self.sessions.by_number[&registration.session].name;
            write!(
                out,
                "rg_registration_{}:id={},reader={},desc={},session={},",
                number.0,
                self.identifiers.text(number.0),
                registration.reader().name(),
                plain(registration.plan.description.as_deref().unwrap_or_default()),
                session
            )
            .expect(WRITES);
            write_figures(&of_registration(registration), out);
        }
        for (number, session) in &self.sessions.by_number {
            let (name, state) = (&session.name, state_of(session));
            write!(out, "rg_session_{}:name={name},state={state},", number.0).expect(WRITES);
            write_figures(&of_session(session, doors), out);
        }
    }
}

const WRITES: &str = "a String takes whatever is written";

fn write_figures(figures: &[Figure], out: &mut String) {
    for (place, (name, figure)) in figures.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(out, "{comma}{name}={figure}").expect(WRITES);
    }
    out.push_str("\r\n");
}

/// A text of a user's own, without what parts fields and lines.
fn plain(text: &str) -> String {
    let parts = |letter: char| letter.is_control() || matches!(letter, ',' | '=' | ':' | '#');
    let letters = text.chars().take(DESCRIPTION_MAX);
    letters.map(|letter| if parts(letter) { '_' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{Stage, WORKER, id, plan, text};

    fn info(stage: &mut Stage) -> String {
        let mut info = String::new();
        stage.act(|engine, doors| engine.info(doors, &mut info));
        info
    }

    #[test]
    fn the_five_figures_of_redisgears_are_there() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        let info = info(&mut stage);
        for line in [
            "rg_nexecutions:1\r\n",
            "rg_nregistrations:1\r\n",
            "rg_TotalAllocated:1000\r\n",
            "rg_PeakAllocated:1000\r\n",
            "rg_CurrAllocated:1000\r\n",
            "rg_runs:calls=0,succeeded=0,failed=0,aborted=0,duration_p50_us=0,duration_p99_us=0,\
             duration_max_us=0,last_error_ms=0\r\n",
        ] {
            assert!(info.contains(line), "{info}");
        }
    }

    #[test]
    fn each_registration_and_each_session_has_a_line() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a-b");
        let mut described = plan("CommandReader", &[StepKind::Map]);
        described.description = Some("one, two\r\nrg_nsessions:7".into());
        stage.register(WORKER, 0, described, &[("trigger", text("t"))]);
        stage.script_done(WORKER);
        stage.command("RG.TRIGGER t");
        stage.host.monotonic_us += 9;
        stage.done(WORKER, 1, vec![]);
        let info = info(&mut stage);
        let registration = format!(
            "\r\nrg_registration_1:id={},reader=CommandReader,desc=one_ two__rg_nsessions_7,session=a-b,\
             calls=1,succeeded=1,failed=0,aborted=0,queue=0,queue_max=0,in_flight=0,\
             duration_p50_us=9,duration_p99_us=9,duration_max_us=9,\
             lag_p50_us=9,lag_p99_us=9,lag_max_us=9,last_error_ms=0\r\n",
            id(1)
        );
        assert!(info.contains(&registration), "{info}");
        let session = "\r\nrg_session_0:name=a-b,state=running,pid=1,cpu_us=0,rss_bytes=1000,\
                       restarts=0,executions=0\r\n";
        assert!(info.ends_with(session), "{info}");
    }
}
