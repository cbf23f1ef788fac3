//! Where records come from.

pub(crate) mod stream;

use crate::host::Projection;
use crate::plan::Argument;

/// The readers that scripts can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Keys,
    /// Keys alone, without a record around them.
    KeysOnly,
    Stream,
    /// The function's own generator, in the worker.
    Python,
    ShardsId,
    Command,
}

impl Reader {
    pub(crate) fn named(name: &str) -> Option<Reader> {
        Some(match name {
            "KeysReader" => Reader::Keys,
            "KeysOnlyReader" => Reader::KeysOnly,
            "StreamReader" => Reader::Stream,
            "PythonReader" => Reader::Python,
            "ShardsIDReader" => Reader::ShardsId,
            "CommandReader" => Reader::Command,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Reader::Keys => "KeysReader",
            Reader::KeysOnly => "KeysOnlyReader",
            Reader::Stream => "StreamReader",
            Reader::Python => "PythonReader",
            Reader::ShardsId => "ShardsIDReader",
            Reader::Command => "CommandReader",
        }
    }
}

/// How a batch run goes over its reader, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Walk {
    Scan {
        pattern: Option<Box<[u8]>>,
        cursor: u64,
        shape: Shape,
    },
    One {
        key: Box<[u8]>,
        shape: Shape,
    },
    Stream {
        key: Box<[u8]>,
        from: String,
    },
    ShardId,
    /// The worker produces the records itself.
    Callback,
    Over,
}

/// What a key becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    BareKey,
    Record(Projection),
}

impl Shape {
    pub(crate) fn projection(self) -> Projection {
        match self {
            Shape::BareKey => Projection::Key,
            Shape::Record(projection) => projection,
        }
    }
}

/// The bytes of a text argument.
pub(crate) fn text(argument: &Argument) -> Option<&[u8]> {
    match argument {
        Argument::Text(text) => Some(text.as_bytes()),
        Argument::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
