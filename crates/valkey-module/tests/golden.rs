//! The scripts of `tests/scripts/functions` on every server with the module: a function cannot tell where it runs.

use std::path::Path;
use std::process::ExitCode;

use test_support::Target;

mod servers;

/// The options are no parameters of somebody else's CONFIG. Hooks and calls that wait are not there yet, and nobody tells
/// the module what removed keys held; in a transaction, the functions of its events run when it is over.
const DIFFERENT: [&str; 5] = [
    "functions/before-",
    "functions/config-parameters",
    "functions/hooks-",
    "functions/async-waiting",
    "functions/sync-key-events",
];

fn main() -> ExitCode {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    let targets: Vec<Box<dyn Target>> =
        servers::all().into_iter().map(|server| Box::new(server) as Box<dyn Target>).collect();
    let has_script = |name: &str| {
        name.starts_with("functions/") && !DIFFERENT.iter().any(|start| name.starts_with(start))
    };
    test_support::golden::compare(&scripts, &targets, has_script, std::env::args().skip(1))
}
