//! Ids as arguments and in replies.

use keyspace::Database;
use keyspace::value::stream::{BoundError, StreamId};
use resp::ReplyWriter;

use crate::error::fail;
use crate::{Error, Result};

/// An id of which the sequence may be missing: it is 0 then.
pub(super) fn parse_id(text: &[u8]) -> Result<StreamId> {
    StreamId::parse(text, 0).ok_or_else(|| invalid_id().into())
}

pub(super) fn invalid_id() -> Error {
    Error::text("ERR Invalid stream ID specified as stream command argument")
}

pub(super) fn parse_start(text: &[u8]) -> Result<StreamId> {
    bound(StreamId::parse_start(text), "ERR invalid start ID for the interval")
}

pub(super) fn parse_end(text: &[u8]) -> Result<StreamId> {
    bound(StreamId::parse_end(text), "ERR invalid end ID for the interval")
}

fn bound(
    parsed: std::result::Result<StreamId, BoundError>,
    empty: &'static str,
) -> Result<StreamId> {
    match parsed {
        Ok(id) => Ok(id),
        Err(BoundError::Invalid) => Err(invalid_id().into()),
        Err(BoundError::Empty) => fail(empty),
    }
}

/// As a bulk string, spelled on the stack.
pub(super) fn write_id(reply: &mut ReplyWriter, id: StreamId) {
    const LENGTH_MAX: usize = "18446744073709551615-18446744073709551615".len();
    let mut text = [0; LENGTH_MAX];
    let mut digits = itoa::Buffer::new();
    let ms = digits.format(id.ms).as_bytes();
    let dash = ms.len();
    text[..dash].copy_from_slice(ms);
    text[dash] = b'-';
    let seq = digits.format(id.seq).as_bytes();
    let end = dash + 1 + seq.len();
    text[dash + 1..end].copy_from_slice(seq);
    reply.bulk(&text[..end]);
}

/// The database's time as ids tell it, which know none before the epoch.
pub(super) fn now_ms(database: &Database) -> u64 {
    u64::try_from(database.now_ms()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use resp::{Protocol, ReplyWriter};

    use super::*;

    #[test]
    fn the_longest_id_is_written_whole() {
        for id in [StreamId::MIN, StreamId::new(7, 12), StreamId::MAX] {
            let mut out = Vec::new();
            write_id(&mut ReplyWriter::new(&mut out, Protocol::Resp2), id);
            let text = id.to_string();
            assert_eq!(out, format!("${}\r\n{text}\r\n", text.len()).as_bytes());
        }
    }
}
