//! The project's chores. `cargo xtask` without a name lists them.

mod arrows;
mod bench;
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
  bench   measure beside redis-server; `cargo xtask bench --help` lists its options
  arrows  check which crate may know which, and what sources may not contain
  ci      fmt, clippy, arrows, test, doc";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) =
        arguments.split_first().map_or(("", &[][..]), |(chore, rest)| (chore.as_str(), rest));
    let mut phases = Phases::default();
    let outcome = match chore {
        "test" => test::run(&mut phases),
        "venvs" => phases.run("venvs", venvs::make),
        "bench" => bench::run(&mut phases, rest),
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
