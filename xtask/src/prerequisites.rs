use std::process::{Command, Stdio};

use crate::phase::run;

/// A program the tests need, how to ask whether it is there, and the Debian package that has it.
struct Prerequisite {
    probe: &'static [&'static str],
    package: &'static str,
}

const PREREQUISITES: [Prerequisite; 5] = [
    Prerequisite { probe: &["redis-server", "--version"], package: "redis-server" },
    Prerequisite { probe: &["redis-cli", "--version"], package: "redis-tools" },
    Prerequisite { probe: &["python3", "-c", "import venv, ensurepip"], package: "python3-venv" },
    Prerequisite { probe: &["setpriv", "--version"], package: "util-linux" },
    // Its programs are not on PATH: several versions may be there.
    Prerequisite {
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb"],
        package: "postgresql",
    },
];

/// Installs what is missing, if we may.
pub(crate) fn install() -> Result<(), String> {
    let missing: Vec<&str> =
        PREREQUISITES.iter().filter(|one| !one.is_there()).map(|one| one.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        return Err(format!(
            "missing, and only root can install: apt-get install {}",
            missing.join(" ")
        ));
    }
    run(apt_get().args(["update", "--quiet"]))?;
    // The package would start a server of its own; the tests start theirs.
    run(apt_get()
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(&missing)
        .env("RUNLEVEL", "1"))?;
    match PREREQUISITES.iter().find(|one| !one.is_there()) {
        None => Ok(()),
        Some(one) => {
            Err(format!("{} is installed and yet {:?} does not run", one.package, one.probe))
        }
    }
}

impl Prerequisite {
    fn is_there(&self) -> bool {
        succeeds(Command::new(self.probe[0]).args(&self.probe[1..]).stderr(Stdio::null()))
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
