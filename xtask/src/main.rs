//! The project's chores. `cargo xtask` without a name lists them.

mod arrows;
mod ci;
mod phase;
mod prerequisites;
mod test;
mod venvs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use phase::Phases;

const USAGE: &str = "\
cargo xtask <chore>

  test    set up what the tests need, build the server, run every test
  venvs   only make the virtual environments of the tests: clients, and a Valkey
  arrows  check which crate may know which, and what sources may not contain
  ci      fmt, clippy, arrows, test, doc";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1).unwrap_or_default();
    let mut phases = Phases::default();
    let outcome = match chore.as_str() {
        "test" => test::run(&mut phases),
        "venvs" => phases.run("venvs", venvs::make),
        "arrows" => phases.run("arrows", arrows::check),
        "ci" => ci::run(&mut phases),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => {
            println!("{chore}: all is well ({phases})");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The directory that holds the workspace's Cargo.toml.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root")
}

fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
