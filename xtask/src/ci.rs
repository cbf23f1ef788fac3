use crate::phase::{Phases, cargo, run as program};
use crate::{arrows, test};

/// Everything that a change must pass, what is quick first.
pub(crate) fn run(phases: &mut Phases) -> Result<(), String> {
    phases.run("fmt", || program(&mut cargo(&["fmt", "--all", "--check"])))?;
    phases.run("arrows", arrows::check)?;
    phases.run("clippy", || {
        program(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    test::run(phases)?;
    phases.run("doc", || {
        program(
            cargo(&["doc", "--workspace", "--no-deps", "--quiet"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    })
}
