//! Entries of a stream: a plain read for `run()`, a consumer group for registrations.

use resp::Reply;

use crate::execution::Arguments;
use crate::host::{Host, ask};
use crate::worker::{LineId, RecordSink};

const GROUP: &[u8] = b"__gears_consumer_group__";
const CONSUMER: &[u8] = b"__gears_client__";

const UNREADABLE: &str = "ERR a stream's entries cannot be read";

/// What one execution of a stream registration reads.
pub(crate) struct StreamRun {
    pub(crate) key: Box<[u8]>,
    pub(crate) portion: Portion,
    /// Identifiers of the entries read, to be acknowledged when the execution is over.
    pub(crate) read: Arguments,
    /// It has come to reading them, whatever it found.
    pub(crate) was_read: bool,
    /// The registration's epoch: what an older one read is not acknowledged.
    pub(crate) epoch: u64,
    /// Those of one stream follow each other in the worker; `None`: one at a time is read.
    pub(crate) line: Option<LineId>,
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

/// Entries as the host gave them: they go to the worker straight from the reply.
#[derive(Default)]
pub(crate) struct Entries {
    wire: Vec<u8>,
    /// Where the entries of the one stream begin in it, and how many there are.
    first: usize,
    count: usize,
    /// How many of them are still in the stream. Of what was deleted since it was delivered, only the acknowledgement is
    /// left.
    live: usize,
}

/// All entries after `from`.
pub(crate) fn read_after(host: &mut dyn Host, key: &[u8], from: &str) -> Result<Entries, String> {
    Entries::of(wire(host, &[b"XREAD", b"STREAMS", key, from.as_bytes()]))
}

/// Reads for the engine's consumer group, which comes into being with the first read.
pub(crate) fn read_group(host: &mut dyn Host, run: &StreamRun) -> Result<Entries, String> {
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
    match Entries::of(wire(host, &args)) {
        Err(error) if error.starts_with("NOGROUP") => {
            // A key that is gone meanwhile has no entries and gets no group.
            if length(host, &run.key) == 0 {
                return Ok(Entries::default());
            }
            ask(host, &[b"XGROUP", b"CREATE", &run.key, GROUP, b"0"])?;
            Entries::of(wire(host, &args))
        }
        result => result,
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
pub(crate) fn acknowledge<'i>(
    host: &mut dyn Host,
    key: &'i [u8],
    ids: impl Iterator<Item = &'i [u8]> + Clone,
    trim: Trim,
) -> Result<(), String> {
    let Some(last) = ids.clone().last() else { return Ok(()) };
    let mut args: Vec<&[u8]> = vec![b"XACK", key, GROUP];
    args.extend(ids);
    ask(host, &args)?;

    // Everything up to the last entry: exact, where a count of what is left (as RedisGears trims) is an estimate.
    let first_left = match trim {
        Trim::Nothing => None,
        Trim::Processed => EntryId::parse(last).and_then(EntryId::next),
        Trim::Acknowledged => match first_pending(host, key)? {
            Some(pending) => Some(pending),
            None => last_delivered(host, key)?.and_then(EntryId::next),
        },
    };
    if let Some(first_left) = first_left {
        ask(host, &[b"XTRIM", key, b"MINID", first_left.to_string().as_bytes()])?;
    }
    Ok(())
}

/// The oldest entry that was delivered and not acknowledged.
fn first_pending(host: &mut dyn Host, key: &[u8]) -> Result<Option<EntryId>, String> {
    let Reply::Array(summary) = ask(host, &[b"XPENDING", key, GROUP])? else {
        return Err(UNREADABLE.into());
    };
    match summary.get(1) {
        Some(Reply::Bulk(first)) => Ok(Some(EntryId::parse(first).ok_or(UNREADABLE)?)),
        Some(_) => Ok(None),
        None => Err(UNREADABLE.into()),
    }
}

/// The newest entry that was delivered.
fn last_delivered(host: &mut dyn Host, key: &[u8]) -> Result<Option<EntryId>, String> {
    let Reply::Array(groups) = ask(host, &[b"XINFO", b"GROUPS", key])? else {
        return Err(UNREADABLE.into());
    };
    let ours = groups.into_iter().find_map(|group| {
        let Reply::Array(facts) = group else { return None };
        (fact(&facts, "name")? == GROUP).then_some(facts)
    });
    let id = ours.as_deref().and_then(|facts| fact(facts, "last-delivered-id"));
    Ok(id.and_then(EntryId::parse))
}

/// A text among names and values in turn.
fn fact<'f>(facts: &'f [Reply], wanted: &str) -> Option<&'f [u8]> {
    facts.chunks_exact(2).find_map(|pair| match pair {
        [Reply::Bulk(name), Reply::Bulk(value)] if name == wanted.as_bytes() => Some(&value[..]),
        _ => None,
    })
}

/// Names and values of an entry, none if it was deleted.
pub(crate) fn fields(host: &mut dyn Host, key: &[u8], id: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let Reply::Array(entries) = ask(host, &[b"XRANGE", key, id, id])? else {
        return Err(UNREADABLE.into());
    };
    match entries.into_iter().next() {
        None => Ok(Vec::new()),
        Some(entry) => fields_of(entry).ok_or_else(|| UNREADABLE.into()),
    }
}

fn fields_of(entry: Reply) -> Option<Vec<Vec<u8>>> {
    let Reply::Array(parts) = entry else { return None };
    let Ok([_, Reply::Array(fields)]) = <[Reply; 2]>::try_from(parts) else { return None };
    fields.into_iter().map(bytes).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    Nothing,
    /// All up to the last one: whoever says so knows that everything before it is done with.
    Processed,
    /// All that was delivered, up to the first one that is still to be acknowledged.
    Acknowledged,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EntryId {
    ms: u64,
    sequence: u64,
}

impl EntryId {
    fn parse(text: &[u8]) -> Option<Self> {
        let (ms, sequence) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(EntryId { ms: ms.parse().ok()?, sequence: sequence.parse().ok()? })
    }

    fn next(self) -> Option<Self> {
        Some(match self.sequence.checked_add(1) {
            Some(sequence) => EntryId { sequence, ..self },
            None => EntryId { ms: self.ms.checked_add(1)?, sequence: 0 },
        })
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.sequence)
    }
}

fn wire(host: &mut dyn Host, args: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    host.call(args, &mut wire);
    wire
}

impl Entries {
    /// Of the reply of XREAD and its kin for one stream.
    fn of(wire: Vec<u8>) -> Result<Self, String> {
        let mut entries = Entries { wire, first: 0, count: 0, live: 0 };
        let reply = Parts { rest: &entries.wire };
        if let Some(error) = reply.error() {
            return Err(String::from_utf8_lossy(error).into_owned());
        }
        let (first, count) = reply.begin_stream().ok_or(UNREADABLE)?;
        (entries.first, entries.count) = (first, count);
        let (mut seen, mut live) = (0, 0);
        for entry in entries.iter() {
            seen += 1;
            live += usize::from(entry.is_live());
        }
        if seen != count {
            return Err(UNREADABLE.into());
        }
        entries.live = live;
        Ok(entries)
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut parts = Parts { rest: &self.wire[self.first..] };
        (0..self.count).map_while(move |_| parts.entry())
    }

    /// Their identifiers, to acknowledge them by.
    pub(crate) fn ids(&self) -> Arguments {
        let ids: Vec<&[u8]> = self.iter().map(|entry| entry.id).collect();
        Arguments::pack(&ids)
    }

    pub(crate) fn put(&self, key: &[u8], sink: &mut dyn RecordSink) {
        self.put_some(key, sink, || true);
    }

    /// Those that are admitted.
    pub(crate) fn put_some(
        &self,
        key: &[u8],
        sink: &mut dyn RecordSink,
        mut admit: impl FnMut() -> bool,
    ) {
        for Entry { id, mut fields } in self.iter().filter(Entry::is_live) {
            if admit() {
                sink.stream(key, &String::from_utf8_lossy(id), &mut fields);
            }
        }
    }
}

struct Entry<'a> {
    id: &'a [u8],
    fields: Fields<'a>,
}

impl Entry<'_> {
    fn is_live(&self) -> bool {
        self.fields.left > 0
    }
}

/// Names and values in turn.
struct Fields<'a> {
    parts: Parts<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.parts.bulk()?, self.parts.bulk()?))
    }
}

/// What is left of a reply. Everything is `None` where it is not as expected.
#[derive(Clone, Copy)]
struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    fn error(&self) -> Option<&'a [u8]> {
        self.rest.strip_prefix(b"-").map(<[u8]>::trim_ascii_end)
    }

    /// Past the names of the list's only stream: how many bytes that takes, and how many entries follow. No stream at all is
    /// no entries.
    fn begin_stream(mut self) -> Option<(usize, usize)> {
        let length = self.rest.len();
        match self.header(b'*')? {
            None | Some(0) => return Some((length, 0)),
            Some(_) => {}
        }
        self.header(b'*')?.filter(|parts| *parts == 2)?;
        self.bulk()?;
        let count = self.header(b'*')??;
        Some((length - self.rest.len(), count))
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        self.header(b'*')?.filter(|parts| *parts == 2)?;
        let id = self.bulk()?;
        // Deleted since it was delivered: no list at all.
        let left = self.header(b'*')?.unwrap_or(0) / 2;
        let fields = Fields { parts: *self, left };
        for _ in 0..2 * left {
            self.bulk()?;
        }
        Some(Entry { id, fields })
    }

    fn bulk(&mut self) -> Option<&'a [u8]> {
        let length = self.header(b'$')??;
        let (bulk, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.strip_prefix(b"\r\n")?;
        Some(bulk)
    }

    /// A length; the inner `None` where there is nothing that could have one.
    fn header(&mut self, kind: u8) -> Option<Option<usize>> {
        let mut rest = self.rest.strip_prefix(&[kind])?;
        if let Some(rest) = rest.strip_prefix(b"-1\r\n") {
            self.rest = rest;
            return Some(None);
        }
        let mut length = 0_usize;
        while let [digit @ b'0'..=b'9', tail @ ..] = rest {
            length = length.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
            rest = tail;
        }
        self.rest = rest.strip_prefix(b"\r\n")?;
        Some(Some(length))
    }
}

fn bytes(reply: Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_identifier_counts_on_and_carries_over() {
        let next = |id: &[u8]| Some(EntryId::parse(id)?.next()?.to_string());
        assert_eq!(next(b"5-7").as_deref(), Some("5-8"));
        assert_eq!(next(b"5-18446744073709551615").as_deref(), Some("6-0"));
        assert_eq!(next(b"18446744073709551615-18446744073709551615"), None);
        assert_eq!(next(b"5"), None);
    }

    #[test]
    fn an_entry_deleted_since_it_was_delivered_has_no_fields() {
        let wire = b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n\
            *2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nf\r\n$2\r\n\r\n\r\n";
        let entries = Entries::of(wire.to_vec()).unwrap();
        let shown: Vec<_> =
            entries.iter().map(|entry| (entry.id, entry.fields.collect::<Vec<_>>())).collect();
        assert_eq!(shown, [(&b"1-1"[..], vec![]), (b"1-2", vec![(&b"f"[..], &b"\r\n"[..])])]);
    }

    #[test]
    fn an_error_and_a_reply_of_another_shape_are_no_entries() {
        let refused = |wire: &[u8]| Entries::of(wire.to_vec()).err().unwrap();
        assert_eq!(refused(b"-NOGROUP no\r\n"), "NOGROUP no");
        for wire in [
            &b""[..],
            b":1\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n",
            b"*1\r\n*2\r\n$1\r\ns\r\n*99999999999999999999999\r\n",
        ] {
            assert_eq!(refused(wire), UNREADABLE);
        }
        assert!(Entries::of(b"*-1\r\n".to_vec()).unwrap().is_empty());
    }
}
