use std::{fmt, io};

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Why something could not be read.
#[derive(Debug)]
pub enum LoadError {
    Io(io::Error),
    Malformed(Malformed),
    /// Well-formed, as far as can be told, and of no use here.
    Unsupported(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Io(error) => error.fmt(f),
            LoadError::Malformed(malformed) => malformed.fmt(f),
            LoadError::Unsupported(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Malformed("it ends too early").into(),
            _ => LoadError::Io(error),
        }
    }
}

impl From<Malformed> for LoadError {
    fn from(malformed: Malformed) -> Self {
        LoadError::Malformed(malformed)
    }
}

pub(crate) type Result<T> = std::result::Result<T, LoadError>;

/// Ends with what is wrong.
pub(crate) fn malformed<T>(what: &'static str) -> Result<T> {
    Err(Malformed(what).into())
}
