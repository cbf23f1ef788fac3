//! The engine's section of INFO.

use std::fmt::Write;

use crate::engine::{Doors, Engine};
use crate::worker::Forbidden;

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
            writeln!(out, "rg_{name}:{value}\r").expect("a String takes whatever is written");
        }
        for (name, what) in [
            ("no_processes", Forbidden::Processes),
            ("no_network", Forbidden::Network),
            ("readonly_filesystem", Forbidden::Writing),
        ] {
            let value = match doors.workers.can_forbid(what) {
                Ok(()) => "available".to_owned(),
                Err(why) => format!("unavailable (needs {why})"),
            };
            writeln!(out, "rg_{name}:{value}\r").expect("a String takes whatever is written");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Stage;

    #[test]
    fn the_five_figures_of_redisgears_are_there() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        let mut info = String::new();
        stage.act(|engine, doors| engine.info(doors, &mut info));
        for line in [
            "rg_nexecutions:1\r\n",
            "rg_nregistrations:1\r\n",
            "rg_TotalAllocated:1000\r\n",
            "rg_PeakAllocated:1000\r\n",
            "rg_CurrAllocated:1000\r\n",
        ] {
            assert!(info.contains(line), "{info}");
        }
    }

    #[test]
    fn it_is_told_what_the_system_can_enforce() {
        let mut stage = Stage::new();
        let mut info = String::new();
        stage.act(|engine, doors| engine.info(doors, &mut info));
        assert!(info.contains("rg_no_network:available\r\n"), "{info}");
        stage.workers.cannot_forbid = Some("Linux 6.2");
        stage.act(|engine, doors| engine.info(doors, &mut info));
        assert!(info.contains("rg_readonly_filesystem:unavailable (needs Linux 6.2)"), "{info}");
    }
}
