//! A process that cannot be confined as it should be runs nothing.

mod driver;

use driver::Driver;
use functions::worker::{Forbidden, SessionSpec, Workers};

#[test]
fn what_cannot_be_forbidden_keeps_the_script_from_running() {
    let mut driver = Driver::new();
    // The rules need a descriptor, and there is none to be had.
    let worker = driver.pool.start(&SessionSpec {
        name: "tight".into(),
        threads: 3,
        files_max: Some(4),
        forbidden: vec![Forbidden::Writing],
        ..SessionSpec::default()
    });
    let error = driver.script(worker, "GB('CommandReader').register(trigger='t')").unwrap();
    assert!(
        error.starts_with("[\"script was not run: its process cannot be kept from writing")
            || error.starts_with("['script was not run: its process cannot be kept from writing"),
        "{error}"
    );
}

#[test]
fn a_warm_process_is_as_confined_as_a_new_one() {
    let mut driver = Driver::new();
    for _ in 0..4 {
        let worker = driver.pool.start(&SessionSpec {
            name: "kept".into(),
            threads: 3,
            forbidden: vec![Forbidden::Network],
            ..SessionSpec::default()
        });
        let error = driver.script(worker, "import socket; socket.socket()").unwrap();
        assert!(error.contains("PermissionError") || error.contains("was not run"), "{error}");
    }
}
