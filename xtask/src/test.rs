use crate::phase::{Phases, cargo, run as program};
use crate::{prerequisites, venvs};

/// One build serves all: what the workspace's tests have compiled is what the client tests run.
pub(crate) fn run(phases: &mut Phases) -> Result<(), String> {
    phases.run("prerequisites", prerequisites::install)?;
    phases.run("venvs", venvs::make)?;
    phases.run("test", || {
        program(&mut cargo(&["test", "--workspace", "--no-fail-fast", "--quiet"]))
    })?;
    phases.run("clients", || {
        let arguments = [
            "test",
            "--quiet",
            "--package",
            "mainspring",
            "--test",
            "python_clients",
            "--test",
            "redgrease",
            "--test",
            "rgsync",
            "--",
            "--ignored",
        ];
        program(&mut cargo(&arguments))
    })
}
