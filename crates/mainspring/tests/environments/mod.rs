//! Programs of others, each in the virtual environment that `cargo xtask venvs` has made for it.
#![allow(dead_code, reason = "every test program has a copy of its own and uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::ServerProcess;

/// `target/venvs/<name>`, seen from `target/<profile>/mainspring`.
pub(crate) fn environment(name: &str) -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
    let path = binary.parent().expect("a directory").with_file_name("venvs").join(name);
    assert!(path.exists(), "there is no environment {name}: run `cargo xtask venvs`");
    path
}

/// A server on the Python that the environment was made with, in which nothing of it is installed.
pub(crate) fn server(environment: &Path, options: &[&str]) -> ServerProcess {
    let ask = "import os, sys; print(os.path.realpath(sys.executable))";
    let python = environment.join("bin/python");
    let output = Command::new(python).args(["-c", ask]).output().unwrap();
    let python = String::from_utf8(output.stdout).unwrap();
    let mut arguments = vec!["--python".to_owned(), python.trim().to_owned()];
    arguments.extend(options.iter().map(|option| option.to_string()));
    ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &arguments).unwrap()
}

/// Runs `tests/<name>/<program>` in the environment of that name against a server that has its wheels and needs no network.
pub(crate) fn run_program(name: &str, program: &str) {
    let environment = environment(name);
    let wheels = environment.join("wheels").into_os_string().into_string().expect("UTF-8");
    let server = server(&environment, &["--requirements-wheels", &wheels]);
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", name, program].iter().collect();
    let output = Command::new(environment.join("bin/python"))
        .args(["-B", "-W", "ignore"])
        .arg(path)
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
