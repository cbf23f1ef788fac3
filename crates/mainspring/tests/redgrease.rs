//! redgrease 0.3.30, unmodified: its programs run on our server as they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::ServerProcess;

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_command_fetches_each_resource_once() {
    run("cache_get.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn written_keys_trigger_downloads() {
    run("images.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn records_are_scheduled_processed_and_counted() {
    run("records.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn genres_are_counted_over_the_keyspace() {
    run("genres.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn requirements_are_installed_once_and_refusals_can_be_read() {
    run("requirements.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn open_functions_are_closed_and_run_in_every_way() {
    run("sensors.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_stream_of_transfers_keeps_the_books() {
    run("transfers.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn of_many_that_ask_at_once_one_downloads() {
    run("single_flight.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_directory_of_scripts_is_kept_registered() {
    run("watch.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn the_list_of_registrations_is_understood_with_doubts_in_it() {
    run("registrations.py");
}

/// Runs a program of tests/redgrease against a server that has nothing installed, with wheels and no network needed.
fn run(program: &str) {
    let environment = Path::new(env!("CARGO_BIN_EXE_mainspring")).parent().expect("a directory");
    let environment = environment.with_file_name("venvs").join("redgrease");
    let python = environment.join("bin/python");
    assert!(python.exists(), "there is no environment for redgrease: run `cargo xtask venvs`");
    let wheels = environment.join("wheels").into_os_string().into_string().expect("UTF-8");
    let arguments =
        ["--python".into(), interpreter(&python), "--requirements-wheels".into(), wheels];
    let server =
        ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &arguments).unwrap();

    let programs: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "redgrease", program].iter().collect();
    let output = Command::new(&python)
        .args(["-B", "-W", "ignore"])
        .arg(programs)
        .arg(server.address().port().to_string())
        .output()
        .unwrap();
    let log = std::fs::read(server.directory().join("log")).unwrap_or_default();
    assert!(
        output.status.success(),
        "{program}:\n{}\nserver:\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&log)
    );
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// The Python that the environment was made with: what it pickles can be read there, and nothing is installed in it
/// for redgrease.
fn interpreter(python: &Path) -> String {
    let ask = "import os, sys; print(os.path.realpath(sys.executable))";
    let output = Command::new(python).args(["-c", ask]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
