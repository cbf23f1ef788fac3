//! The module's arguments: names and values, in pairs.

use std::ffi::OsString;
use std::path;

use functions::Config;
use worker::{Packages, PoolSpec};

/// What a server's `loadmodule` line may say.
pub(crate) struct Options {
    pub(crate) engine: Config,
    pub(crate) pool: PoolSpec,
}

const WARM_DEFAULT: usize = 2;

/// Where what scripts require is installed, seen from the server's `dir`.
const PACKAGES: &str = "mainspring-python";

impl Options {
    pub(crate) fn parse(args: &[&[u8]]) -> Result<Options, String> {
        // The server works in its `dir`, now; what packages are imported from must not depend on it.
        let directory = path::absolute(PACKAGES).ok();
        let mut engine = Config::default();
        if let Some(directory) = &directory {
            engine.load("PythonInstallationDir", &directory.to_string_lossy())?;
        }
        let packages = Packages { directory, wheels: None };
        let interpreters = vec!["python3".into()];
        let pool = PoolSpec { interpreters, warm: WARM_DEFAULT, packages, mailboxes: false };
        let mut options = Options { engine, pool };
        let mut words = args.iter().map(|word| text(word));
        while let Some(name) = words.next() {
            let name = name?;
            let value =
                words.next().ok_or_else(|| format!("the option '{name}' has no value"))??;
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name.eq_ignore_ascii_case("python") {
            self.pool.interpreters = value.split_whitespace().map(OsString::from).collect();
            if self.pool.interpreters.is_empty() {
                return Err("the option 'python' names no interpreter".into());
            }
            Ok(())
        } else if name.eq_ignore_ascii_case("function-workers-warm") {
            let warm = value.parse().ok().filter(|count| *count <= 64);
            self.pool.warm =
                warm.ok_or_else(|| format!("'{name}' is a number from 0 to 64, not '{value}'"))?;
            Ok(())
        } else if name.eq_ignore_ascii_case("requirements-wheels") {
            self.pool.packages.wheels = path::absolute(value).ok();
            Ok(())
        } else {
            self.engine.load(name, value)
        }
    }
}

fn text(word: &[u8]) -> Result<&str, String> {
    str::from_utf8(word).map_err(|_| "the module's arguments are not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<&[u8]> =
            line.split(' ').filter(|w| !w.is_empty()).map(str::as_bytes).collect();
        Options::parse(&words)
    }

    #[test]
    fn names_and_values_come_in_pairs() {
        let options = parse("python /opt/python3.12 function-workers-warm 5 foo bar").ok().unwrap();
        assert_eq!(options.pool.interpreters, ["/opt/python3.12"]);
        assert_eq!(options.pool.warm, 5);
        assert_eq!(parse("").ok().unwrap().pool.interpreters, ["python3"]);
        assert!(parse("python").is_err_and(|why| why.contains("has no value")));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert!(parse("atomic-max-ms soon").is_err());
        assert!(parse("function-workers-warm 1000").is_err());
    }
}
