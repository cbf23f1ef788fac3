//! The variables of the environment that workers find.

use std::ffi::OsString;
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
    only: Option<Vec<(OsString, OsString)>>,
    /// On top of those.
    set: Vec<(String, String)>,
}

impl Environment {
    /// Leaves out of `all` what an interpreter does not need.
    pub fn keep_needed(&mut self, all: impl Iterator<Item = (OsString, OsString)>) {
        let is_needed = |name: &OsString| NEEDED.iter().any(|needed| name == needed);
        self.only = Some(all.filter(|(name, _)| is_needed(name)).collect());
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

    /// Not only taken out of `os.environ` afterwards: a process can read what it was started with.
    pub(crate) fn give_to(&self, command: &mut Command) {
        if let Some(only) = &self.only {
            command.env_clear();
            command.envs(only.iter().map(|(name, value)| (name, value)));
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(environment: &Environment) -> String {
        let mut command = Command::new("/usr/bin/env");
        command.env("SECRET", "of this test");
        environment.give_to(&mut command);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn only_what_an_interpreter_needs_is_passed_on_where_nothing_is_inherited() {
        let mut environment = Environment::default();
        assert!(environment.set("A=b=c"));
        assert!(!environment.set("=b") && !environment.set("A"));
        let all = given(&environment);
        assert!(all.contains("SECRET") && all.contains("A=b=c\n"), "{all}");
        let server =
            [("HOME", "/h"), ("TOKEN", "t")].map(|(name, value)| (name.into(), value.into()));
        environment.keep_needed(server.into_iter());
        let little = given(&environment);
        let mut lines: Vec<&str> = little.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["A=b=c", "HOME=/h"]);
    }
}
