//! redis-py, in every version that `tests/clients/versions.txt` pins, must not tell our server from redis-server.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::{ServerProcess, chosen_processes};

#[test]
#[ignore = "needs the virtual environments that `cargo xtask test` makes"]
fn every_redis_py_sees_the_same_in_every_target() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pins = std::fs::read_to_string(repository.join("tests/clients/versions.txt")).unwrap();
    let smoke = repository.join("tests/clients/smoke.py");
    let servers = chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring")));

    for pin in pins.lines() {
        let python = environments().join(pin.replace("==", "-")).join("bin/python");
        assert!(python.exists(), "there is no environment for {pin}: run `cargo xtask venvs`");
        let mut seen =
            servers.iter().map(|(name, server)| (name, conversation(&python, &smoke, server)));
        let (_, first) = seen.next().expect("TEST_TARGETS names at least one target");
        assert!(first.lines().count() > 100, "{pin} said too little:\n{first}");
        for (name, said) in seen {
            let differing: Vec<(&str, &str)> =
                first.lines().zip(said.lines()).filter(|(a, b)| a != b).collect();
            assert_eq!(said.lines().count(), first.lines().count(), "{pin}, {name}");
            assert!(differing.is_empty(), "{pin} sees in {name}: {differing:#?}");
        }
    }
}

fn conversation(python: &Path, smoke: &Path, server: &ServerProcess) -> String {
    let address = server.address();
    let output = Command::new(python)
        .args(["-W", "ignore"])
        .arg(smoke)
        .args([address.ip().to_string(), address.port().to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `target/venvs`, seen from `target/<profile>/mainspring`.
fn environments() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_mainspring")).parent().unwrap().with_file_name("venvs")
}
