use command_spec::{Args, CommandSpec};
use keyspace::Database;
use resp::ReplyWriter;

use crate::Result;

/// A data command: what it says of itself, and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub spec: CommandSpec,
    pub run: fn(&mut Database<'_>, Args<'_>, &mut ReplyWriter<'_>) -> Result,
}

/// Why a command cannot answer yet: it waits for one of these keys to change.
///
/// The caller either lets the client wait, and runs the request again when a key changed, or (inside MULTI, a script or a
/// function) answers with `refusal` at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    pub keys: Vec<Vec<u8>>,
    /// In the database's time; `None`: for ever.
    pub deadline_ms: Option<i64>,
    /// The reply when the time is over.
    pub absence: Absence,
    /// The reply where nobody may wait.
    pub refusal: Absence,
    /// The request to run again, where it must not be the one that was given: `$` has become an id by then.
    pub retry: Option<Vec<Vec<u8>>>,
}

impl Wait {
    /// The wait of a command that answers with an array.
    pub fn for_array(keys: &[&[u8]], deadline_ms: Option<i64>) -> Wait {
        let keys = keys.iter().map(|key| key.to_vec()).collect();
        let absence = Absence::NullArray;
        Wait { keys, deadline_ms, absence, refusal: absence, retry: None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    Null,
    NullArray,
    /// Nothing was counted.
    Zero,
}

impl Absence {
    pub fn write(self, reply: &mut ReplyWriter<'_>) {
        match self {
            Absence::Null => reply.null(),
            Absence::NullArray => reply.null_array(),
            Absence::Zero => reply.integer(0),
        }
    }
}
