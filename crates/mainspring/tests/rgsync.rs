//! rgsync 1.2.0, unmodified: write-behind and write-through to PostgreSQL and SQLite, as its README runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::ServerProcess;

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn changes_of_hashes_become_changes_of_rows() {
    run("write_behind.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn a_mark_decides_what_a_change_reaches_and_is_acknowledged() {
    run("marks.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn write_through_writes_the_row_before_the_hash_or_neither() {
    run("write_through.py");
}

#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn a_newer_version_takes_the_place_of_an_older_one() {
    run("upgrade.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn a_refused_value_holds_up_the_rest_until_it_is_taken_out() {
    run("refused.py");
}

#[test]
#[ignore = "needs PostgreSQL, and the virtual environment that `cargo xtask test` makes"]
fn no_change_is_lost_while_workers_are_killed_and_the_database_crashes() {
    run("faults.py");
}

/// Runs a program of tests/rgsync against a server that has nothing installed, with wheels and no network needed.
fn run(program: &str) {
    let environment = Path::new(env!("CARGO_BIN_EXE_mainspring")).parent().expect("a directory");
    let environment = environment.with_file_name("venvs").join("rgsync");
    let python = environment.join("bin/python");
    assert!(python.exists(), "there is no environment for rgsync: run `cargo xtask venvs`");
    let wheels = environment.join("wheels").into_os_string().into_string().expect("UTF-8");
    let arguments =
        ["--python".into(), interpreter(&python), "--requirements-wheels".into(), wheels];
    let server =
        ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &arguments).unwrap();

    let programs: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "rgsync", program].iter().collect();
    let output = Command::new(&python)
        .arg("-B")
        .arg(programs)
        .arg(server.address().port().to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}:\n{}{}\nserver:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        server.log()
    );
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// The Python that the environment was made with: nothing is installed in it for rgsync.
fn interpreter(python: &Path) -> String {
    let ask = "import os, sys; print(os.path.realpath(sys.executable))";
    let output = Command::new(python).args(["-c", ask]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
