//! Entries of a stream: a plain read for `run()`, a consumer group for registrations.

use resp::Reply;

use crate::host::{Host, ask};
use crate::worker::RecordSink;

const GROUP: &[u8] = b"__gears_consumer_group__";
const CONSUMER: &[u8] = b"__gears_client__";

const UNREADABLE: &str = "ERR a stream's entries cannot be read";

/// What one execution of a stream registration reads.
pub(crate) struct StreamRun {
    pub(crate) key: Box<[u8]>,
    pub(crate) portion: Portion,
    /// Identifiers of the entries read, to be acknowledged when the execution is over.
    pub(crate) read: Vec<Vec<u8>>,
    /// The registration's epoch: what an older one read is not acknowledged.
    pub(crate) epoch: u64,
    /// When the oldest of its entries arrived, as far as it is known.
    pub(crate) since_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// Entries that were delivered before and never acknowledged.
    Unacknowledged,
    /// The first of these.
    Oldest,
    /// So many new entries at most.
    New { count: u64 },
}

pub(crate) struct Entry {
    pub(crate) id: Vec<u8>,
    pub(crate) fields: Vec<Vec<u8>>,
}

impl Entry {
    pub(crate) fn put(&self, key: &[u8], sink: &mut dyn RecordSink) {
        let mut fields = self.fields.chunks_exact(2).map(|pair| (&pair[0][..], &pair[1][..]));
        sink.stream(key, &String::from_utf8_lossy(&self.id), &mut fields);
    }
}

/// All entries after `from`.
pub(crate) fn read_after(
    host: &mut dyn Host,
    key: &[u8],
    from: &str,
) -> Result<Vec<Entry>, String> {
    entries(&ask(host, &[b"XREAD", b"STREAMS", key, from.as_bytes()])?)
}

/// Reads for the engine's consumer group, which comes into being with the first read.
pub(crate) fn read_group(host: &mut dyn Host, run: &StreamRun) -> Result<Vec<Entry>, String> {
    let count;
    let mut args: Vec<&[u8]> = vec![b"XREADGROUP", b"GROUP", GROUP, CONSUMER];
    match run.portion {
        Portion::Unacknowledged => args.extend([&b"STREAMS"[..], &run.key, b"0"]),
        Portion::Oldest => args.extend([&b"COUNT"[..], b"1", b"STREAMS", &run.key, b"0"]),
        Portion::New { count: wanted } => {
            count = wanted.to_string();
            args.extend([&b"COUNT"[..], count.as_bytes(), b"STREAMS", &run.key, b">"]);
        }
    }
    match ask(host, &args) {
        Ok(reply) => entries(&reply),
        Err(error) if error.starts_with("NOGROUP") => {
            // A key that is gone meanwhile has no entries and gets no group.
            if length(host, &run.key) == 0 {
                return Ok(Vec::new());
            }
            ask(host, &[b"XGROUP", b"CREATE", &run.key, GROUP, b"0"])?;
            entries(&ask(host, &args)?)
        }
        Err(error) => Err(error),
    }
}

/// How many entries the stream holds; none if it is no stream.
pub(crate) fn length(host: &mut dyn Host, key: &[u8]) -> u64 {
    match ask(host, &[b"XLEN", key]) {
        Ok(Reply::Integer(length)) => length.try_into().unwrap_or(0),
        _ => 0,
    }
}

/// Tells the group that the entries are done with, and removes them when `trim` is set.
pub(crate) fn acknowledge(
    host: &mut dyn Host,
    key: &[u8],
    ids: &[Vec<u8>],
    trim: Trim,
) -> Result<(), String> {
    let Some(last) = ids.last() else { return Ok(()) };
    let mut args: Vec<&[u8]> = vec![b"XACK", key, GROUP];
    args.extend(ids.iter().map(Vec::as_slice));
    ask(host, &args)?;

    // Everything up to the last entry: exact, where a count of what is left (as RedisGears trims) is an estimate.
    if trim == Trim::Processed
        && let Some(next) = successor(last)
    {
        ask(host, &[b"XTRIM", key, b"MINID", next.as_bytes()])?;
    }
    Ok(())
}

/// Names and values of an entry, none if it was deleted.
pub(crate) fn fields(host: &mut dyn Host, key: &[u8], id: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let Reply::Array(entries) = ask(host, &[b"XRANGE", key, id, id])? else {
        return Err(UNREADABLE.into());
    };
    match entries.first() {
        None => Ok(Vec::new()),
        Some(found) => Ok(entry(found).ok_or(UNREADABLE)?.fields),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    Nothing,
    Processed,
}

/// One step of a walk over the keys that hold streams and match a glob pattern: what it found, and where to go on.
pub(crate) fn find(
    host: &mut dyn Host,
    pattern: &[u8],
    cursor: &[u8],
) -> (Vec<Box<[u8]>>, Option<Vec<u8>>) {
    let args: [&[u8]; 8] =
        [b"SCAN", cursor, b"MATCH", pattern, b"COUNT", b"1000", b"TYPE", b"stream"];
    let Ok(Reply::Array(parts)) = ask(host, &args) else { return (Vec::new(), None) };
    let Ok([Reply::Bulk(next), Reply::Array(keys)]) = <[Reply; 2]>::try_from(parts) else {
        return (Vec::new(), None);
    };
    let found = keys.into_iter().filter_map(bytes).map(Vec::into_boxed_slice).collect();
    (found, (next != b"0").then_some(next))
}

fn successor(id: &[u8]) -> Option<String> {
    let (ms, sequence) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let (ms, sequence): (u64, u64) = (ms.parse().ok()?, sequence.parse().ok()?);
    Some(match sequence.checked_add(1) {
        Some(sequence) => format!("{ms}-{sequence}"),
        None => format!("{}-0", ms.checked_add(1)?),
    })
}

/// The entries of XREAD's reply for one stream.
fn entries(reply: &Reply) -> Result<Vec<Entry>, String> {
    let streams = match reply {
        Reply::Null => return Ok(Vec::new()),
        Reply::Array(streams) => streams,
        _ => return Err(UNREADABLE.into()),
    };
    let Some(Reply::Array(stream)) = streams.first() else { return Ok(Vec::new()) };
    let Some(Reply::Array(entries)) = stream.get(1) else { return Err(UNREADABLE.into()) };
    entries.iter().map(entry).collect::<Option<_>>().ok_or_else(|| UNREADABLE.into())
}

fn entry(reply: &Reply) -> Option<Entry> {
    let Reply::Array(parts) = reply else { return None };
    let [Reply::Bulk(id), fields] = parts.as_slice() else { return None };
    let fields = match fields {
        // Deleted since it was delivered.
        Reply::Null => Vec::new(),
        Reply::Array(fields) => fields.iter().cloned().map(bytes).collect::<Option<_>>()?,
        _ => return None,
    };
    Some(Entry { id: id.clone(), fields })
}

fn bytes(reply: Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use resp::read_reply;

    use super::*;

    #[test]
    fn the_next_identifier_counts_on_and_carries_over() {
        assert_eq!(successor(b"5-7").as_deref(), Some("5-8"));
        assert_eq!(successor(b"5-18446744073709551615").as_deref(), Some("6-0"));
        assert_eq!(successor(b"5"), None);
    }

    #[test]
    fn an_entry_deleted_since_it_was_delivered_has_no_fields() {
        let wire = b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        let (reply, _) = read_reply(wire).unwrap().unwrap();
        let entries = entries(&reply).unwrap();
        assert_eq!(entries.len(), 1);
        assert!(entries[0].fields.is_empty());
    }
}
