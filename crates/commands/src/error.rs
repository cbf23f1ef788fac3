use std::borrow::Cow;
use std::fmt;

use command_spec::ArgError;
use keyspace::WrongType;

use crate::Wait;

/// Why a command ends without the reply it is for. What it wrote before is dropped.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    Error(Error),
    Wait(Box<Wait>),
}

pub type Result<T = ()> = std::result::Result<T, Halt>;

/// An error reply. The text is made where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    WrongType,
    Argument(ArgError),
    NoSuchKey,
    OutOfRange(&'static str),
    /// A whole error line, code first.
    Text(Cow<'static, str>),
}

impl Error {
    pub const fn text(text: &'static str) -> Error {
        Error::Text(Cow::Borrowed(text))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::WrongType => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            Error::Argument(error) => error.fmt(f),
            Error::NoSuchKey => f.write_str("ERR no such key"),
            Error::OutOfRange(what) => write!(f, "ERR {what} is out of range"),
            Error::Text(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Error(error)
    }
}

impl From<ArgError> for Halt {
    fn from(error: ArgError) -> Self {
        Halt::Error(Error::Argument(error))
    }
}

impl From<WrongType> for Halt {
    fn from(_: WrongType) -> Self {
        Halt::Error(Error::WrongType)
    }
}

impl From<Wait> for Halt {
    fn from(wait: Wait) -> Self {
        Halt::Wait(Box::new(wait))
    }
}

/// Ends a command with an error line.
pub(crate) fn fail<T>(text: &'static str) -> Result<T> {
    Err(Error::text(text).into())
}

/// For what the arity in a command's spec cannot say: pairs, and options that end the request.
pub(crate) fn wrong_arity(command: &str) -> Halt {
    Error::Text(format!("ERR wrong number of arguments for '{command}' command").into()).into()
}
