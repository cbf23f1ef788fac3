use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::failure::{Failure, Result};

const OLDEST: (u32, u32) = (3, 8);
const SOURCE: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// The version of a Python program that can run functions.
pub(super) fn version(program: &str) -> Result<String> {
    let (major, minor) = OLDEST;
    let wanted = format!("functions run in Python {major}.{minor} or newer");
    let choice = "choose another with: mainspring demo --python PROGRAM";
    let output = Command::new(program).args(["-I", "-c", SOURCE]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(format!(
            "{wanted}, and there is no '{program}' here. Install it (Debian: apt install python3), or {choice}"
        )),
        _ => Failure::new(format!("{wanted}, and '{program}' does not start: {error}")),
    })?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let Some(found) = parse(&said).filter(|_| output.status.success()) else {
        return Err(Failure::new(format!(
            "{wanted}, and '{program}' does not say its version; {choice}"
        )));
    };
    if found < OLDEST {
        return Err(Failure::new(format!("{wanted}, and '{program}' is Python {said}; {choice}")));
    }
    Ok(said)
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(parse("3.11.7"), Some((3, 11)));
        assert!(parse("3.7.16") < Some(OLDEST) && parse("3.12.1") > Some(OLDEST));
        assert_eq!(parse("three"), None);
    }

    #[test]
    fn a_missing_interpreter_is_named_with_what_to_do() {
        let failure = version("no-such-python").unwrap_err().to_string();
        assert!(failure.contains("no 'no-such-python' here"), "{failure}");
        assert!(failure.contains("--python PROGRAM"), "{failure}");
    }

    #[test]
    fn a_program_that_is_no_python_is_refused() {
        let failure = version("true").unwrap_err().to_string();
        assert!(failure.contains("'true' does not say its version"), "{failure}");
    }
}
