use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

/// What has been done so far and how long each part took.
#[derive(Default)]
pub(crate) struct Phases {
    done: Vec<(&'static str, Duration)>,
}

impl Phases {
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        println!("==> {name}");
        let start = Instant::now();
        work().map_err(|why| format!("{name} failed: {why}"))?;
        self.done.push((name, start.elapsed()));
        Ok(())
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        for (index, (name, time)) in self.done.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{name} {:.1} s", time.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Runs a program in the root of the workspace; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .current_dir(crate::root())
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

/// cargo itself, as the one that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}
