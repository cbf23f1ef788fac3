//! The variables of the environment that workers find.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an interpreter needs to start and to find its libraries, its home, its language and its time: never left out.
const NEEDED: [&str; 9] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
];

/// What functions find in `os.environ`.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// In place of all that the server itself has.
    only: Option<Vec<(&'static str, OsString)>>,
    /// On top of those.
    set: Vec<(String, String)>,
}

impl Environment {
    /// Only what an interpreter needs; `server` tells what the server has under a name.
    pub fn keep_needed(&mut self, server: impl Fn(&str) -> Option<OsString>) {
        let kept = NEEDED.iter().filter_map(|name| Some((*name, server(name)?)));
        self.only = Some(kept.collect());
    }

    /// `NAME=value`; `false` if it is not.
    pub fn set(&mut self, assignment: &str) -> bool {
        match assignment.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.set.push((name.to_owned(), value.to_owned()));
                true
            }
            Some(_) | None => false,
        }
    }

    /// A program with this environment. It is not only taken out of `os.environ` afterwards: a process can read what it
    /// was started with.
    pub(crate) fn command(&self, program: &OsStr) -> Command {
        // A name is looked for here if the environment says where: std would do so only after a fork, and hand the
        // environment over in a variable of the C library that a module inside another server may have twice.
        let path = self.path().and_then(|path| find(program, path));
        let mut command = Command::new(path.as_deref().map_or(program, Path::as_os_str));
        if let Some(only) = &self.only {
            command.env_clear();
            command.envs(only.iter().map(|(name, value)| (name, value)));
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Where programs are, if this says so.
    fn path(&self) -> Option<&OsStr> {
        let set = self.set.iter().rev().find(|(name, _)| name == "PATH");
        let kept = self.only.iter().flatten().find(|(name, _)| *name == "PATH");
        set.map(|(_, path)| OsStr::new(path)).or(kept.map(|(_, path)| path.as_os_str()))
    }
}

fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if Path::new(program).components().count() != 1 {
        return None;
    }
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let directories = path.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
    directories.map(|directory| Path::new(directory).join(program)).find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(environment: &Environment) -> String {
        let mut command = environment.command(OsStr::new("env"));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn only_what_an_interpreter_needs_is_passed_on_where_nothing_is_inherited() {
        let mut environment = Environment::default();
        assert!(environment.set("A=b=c"));
        assert!(!environment.set("=b") && !environment.set("A"));
        let all = given(&environment);
        assert!(all.contains("CARGO") && all.contains("A=b=c\n"), "{all}");

        let server = |name: &str| match name {
            "PATH" => Some("/nowhere:/usr/bin:/bin".into()),
            "HOME" => Some("/h".into()),
            "TOKEN" => Some("t".into()),
            _ => None,
        };
        environment.keep_needed(server);
        let little = given(&environment);
        let mut lines: Vec<&str> = little.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["A=b=c", "HOME=/h", "PATH=/nowhere:/usr/bin:/bin"]);
    }

    #[test]
    fn programs_are_looked_for_where_the_environment_says() {
        let found = find(OsStr::new("env"), OsStr::new("/nowhere:/usr/bin"));
        assert_eq!(found.as_deref(), Some(Path::new("/usr/bin/env")));
        assert_eq!(find(OsStr::new("bin/env"), OsStr::new("/usr")), None);
        assert_eq!(find(OsStr::new("/usr/bin/env"), OsStr::new("/usr/bin")), None);
    }
}
