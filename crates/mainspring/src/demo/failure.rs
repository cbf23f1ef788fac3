use std::fmt;
use std::io;

/// Why the story cannot go on. Nobody chooses by it: it is told and ends the program.
#[derive(Debug)]
pub(super) struct Failure(String);

pub(super) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Failure {
        Failure(why.into())
    }

    pub(super) fn with_log(self, lines: &[String]) -> Failure {
        if lines.is_empty() {
            return self;
        }
        Failure(format!("{}\nThe server's log ends with:\n  {}", self.0, lines.join("\n  ")))
    }
}

/// Ends the story where what came is not what must come.
pub(super) fn check<T: PartialEq + fmt::Debug>(what: &str, came: T, must_be: T) -> Result<()> {
    if came == must_be {
        return Ok(());
    }
    Err(Failure(format!("{what}: {came:?} where {must_be:?} is right")))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
