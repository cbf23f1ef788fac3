//! Streams: entries in listpacks of neighbours, then what is remembered of the rest, then groups.
//!
//! A listpack begins with a master entry (how many entries live and are deleted, the usual fields) and goes on with
//! entries: flags, the distance from the listpack's id, fields unless they are the usual ones, values, number of items.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keyspace::value::stream::{BlockLimits, Entry, Group, IdSpec, PendingFilter, StreamId};
use keyspace::{Stream, StringRef};

use super::code;
use crate::error::{LoadError, Malformed, Result, malformed};
use crate::listpack::{Builder, Items};
use crate::source::Source;
use crate::{length, string};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// Stands for a number of read entries that is not known.
const READ_UNKNOWN: u64 = u64::MAX;
/// When a listpack is full, as by default in Redis.
const ENTRIES_MAX: i64 = 100;
const BYTES_MAX: usize = 4096;

const WRONG: LoadError = LoadError::Malformed(Malformed("a stream is damaged"));

pub(super) fn read(source: &mut Source, code: u8, limits: BlockLimits) -> Result<Stream> {
    let mut stream = Stream::default();
    for _ in 0..length::read(source)? {
        let key = string::read(source)?;
        let master = StreamKey::try_from(&key[..]).map_err(|_| WRONG)?;
        read_entries(&mut stream, id_of(master), &string::read(source)?, limits)?;
    }
    let len = length::read(source)?;
    let last = read_id(source)?;
    let (max_deleted, added) = if code == code::STREAM {
        (None, len)
    } else {
        // The first id follows from the entries.
        read_id(source)?;
        (Some(read_id(source)?), length::read(source)?)
    };
    if len != stream.len() as u64 {
        return Err(WRONG);
    }
    stream.log.set_id(last, Some(added), max_deleted).map_err(|_| WRONG)?;

    for _ in 0..length::read(source)? {
        let name = string::read(source)?;
        let group = read_group(source, code)?;
        if !stream.create_group(&name, group) {
            return malformed("a stream has a group twice");
        }
    }
    Ok(stream)
}

/// An id as it stands in keys and lists: big-endian, so that bytes sort as ids do.
type StreamKey = [u8; 16];

fn id_of(key: StreamKey) -> StreamId {
    let id = u128::from_be_bytes(key);
    StreamId::new((id >> 64) as u64, id as u64)
}

fn key_of(id: StreamId) -> StreamKey {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

/// An id as two lengths.
fn read_id(source: &mut Source) -> Result<StreamId> {
    Ok(StreamId::new(length::read(source)?, length::read(source)?))
}

fn write_id(out: &mut Vec<u8>, id: StreamId) {
    length::write(out, id.ms);
    length::write(out, id.seq);
}

fn read_entries(
    stream: &mut Stream,
    master: StreamId,
    packed: &[u8],
    limits: BlockLimits,
) -> Result<()> {
    let mut items = Items::read(packed)?;
    let mut live = items.integer()?;
    let mut deleted = items.integer()?;
    let mut usual = Vec::new();
    for _ in 0..items.integer()? {
        usual.push(bytes(items.item()?));
    }
    if items.integer()? != 0 {
        return Err(WRONG);
    }
    while live > 0 || deleted > 0 {
        let flags = items.integer()?;
        let id = StreamId::new(
            master.ms.wrapping_add_signed(items.integer()?),
            master.seq.wrapping_add_signed(items.integer()?),
        );
        let fields = read_fields(&mut items, flags, &usual)?;
        // How many items the entry had: for those who read backwards.
        items.integer()?;
        if flags & DELETED != 0 {
            deleted -= 1;
            continue;
        }
        live -= 1;
        let pairs = fields.iter().map(|(name, value)| (&**name, &**value));
        // The time is only asked for ids that are not given.
        stream.log.append(IdSpec::Explicit(id), 0, limits, pairs).map_err(|_| WRONG)?;
    }
    if live < 0 || deleted < 0 || items.next().is_some() {
        return Err(WRONG);
    }
    Ok(())
}

type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

fn read_fields<'a>(
    items: &mut Items<'a>,
    flags: i64,
    usual: &[Cow<'a, [u8]>],
) -> Result<Vec<Pair<'a>>> {
    let mut fields = Vec::new();
    if flags & SAME_FIELDS != 0 {
        for name in usual {
            fields.push((name.clone(), bytes(items.item()?)));
        }
    } else {
        for _ in 0..items.integer()? {
            fields.push((bytes(items.item()?), bytes(items.item()?)));
        }
    }
    if fields.is_empty() {
        return malformed("an entry of a stream has no fields");
    }
    Ok(fields)
}

fn bytes(item: StringRef<'_>) -> Cow<'_, [u8]> {
    match item {
        StringRef::Bytes(bytes) => Cow::Borrowed(bytes),
        StringRef::Int(_) => Cow::Owned(item.to_vec()),
    }
}

fn read_group(source: &mut Source, code: u8) -> Result<Group> {
    let last_delivered = read_id(source)?;
    let read = if code == code::STREAM { READ_UNKNOWN } else { length::read(source)? };
    let mut group = Group::new(last_delivered, (read != READ_UNKNOWN).then_some(read));

    // What is pending for the whole group; its consumers only name their parts of it.
    let mut pending = BTreeMap::new();
    for _ in 0..length::read(source)? {
        let id = id_of(source.array()?);
        let delivered_ms = read_ms(source)?;
        if pending.insert(id, (delivered_ms, length::read(source)?)).is_some() {
            return malformed("an entry of a stream is pending twice");
        }
    }
    for _ in 0..length::read(source)? {
        let name = string::read(source)?;
        if group.consumer(&name).is_some() {
            return malformed("a group of a stream has a consumer twice");
        }
        let seen_ms = read_ms(source)?;
        let active_ms = if code == code::STREAM_3 {
            u64::try_from(i64::from_le_bytes(source.array()?)).ok()
        } else {
            Some(seen_ms)
        };
        group.restore_consumer(&name, seen_ms, active_ms);
        for _ in 0..length::read(source)? {
            let id = id_of(source.array()?);
            let Some((delivered_ms, count)) = pending.remove(&id) else {
                return malformed("an entry is pending for a consumer, but not for its group");
            };
            group.restore_pending(id, &name, delivered_ms, count);
        }
    }
    if !pending.is_empty() {
        return malformed("an entry is pending for a group, but for none of its consumers");
    }
    Ok(group)
}

fn read_ms(source: &mut Source) -> Result<u64> {
    Ok(i64::from_le_bytes(source.array()?).max(0).cast_unsigned())
}

pub(super) fn write(out: &mut Vec<u8>, stream: &Stream) {
    write_entries(out, stream);
    length::write(out, stream.len() as u64);
    write_id(out, stream.log.last_id());
    write_id(out, stream.log.first_id());
    write_id(out, stream.log.max_deleted_id());
    length::write(out, stream.log.entries_added());
    length::write(out, stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        string::write(out, name);
        write_group(out, group);
    }
}

fn write_entries(out: &mut Vec<u8>, stream: &Stream) {
    let mut nodes = Vec::new();
    let mut count = 0;
    let mut entries = stream.log.range(StreamId::MIN, StreamId::MAX).peekable();
    while let Some(first) = entries.peek() {
        // The master entry says how many entries follow, so they are gathered before it is written.
        let master = first.id;
        let usual: Vec<Vec<u8>> = first.fields.clone().map(|(name, _)| name.to_vec()).collect();
        let mut packed = Packed { master, usual, live: 0, entries: Builder::default() };
        while let Some(entry) = entries.next_if(|_| !packed.is_full()) {
            packed.push(&entry);
        }
        string::write(&mut nodes, &key_of(master));
        string::write(&mut nodes, &packed.finish());
        count += 1;
    }
    length::write(out, count);
    out.append(&mut nodes);
}

/// A listpack in the making.
struct Packed {
    master: StreamId,
    usual: Vec<Vec<u8>>,
    live: i64,
    entries: Builder,
}

impl Packed {
    fn is_full(&self) -> bool {
        self.live >= ENTRIES_MAX || self.entries.len() >= BYTES_MAX
    }

    fn push(&mut self, entry: &Entry) {
        let names = entry.fields.clone().map(|(name, _)| name);
        let is_usual = names.eq(self.usual.iter().map(Vec::as_slice));
        let len = entry.fields.len() as i64;
        let packed = &mut self.entries;
        packed.push_integer(if is_usual { SAME_FIELDS } else { 0 });
        packed.push_integer(entry.id.ms.wrapping_sub(self.master.ms).cast_signed());
        packed.push_integer(entry.id.seq.wrapping_sub(self.master.seq).cast_signed());
        if !is_usual {
            packed.push_integer(len);
        }
        for (name, value) in entry.fields.clone() {
            if !is_usual {
                packed.push(name);
            }
            packed.push(value);
        }
        packed.push_integer(if is_usual { len + 3 } else { 2 * len + 4 });
        self.live += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut whole = Builder::default();
        whole.push_integer(self.live);
        whole.push_integer(0);
        whole.push_integer(self.usual.len() as i64);
        self.usual.iter().for_each(|name| whole.push(name));
        whole.push_integer(0);
        whole.append(&self.entries);
        whole.finish()
    }
}

fn write_group(out: &mut Vec<u8>, group: &Group) {
    /// Nothing is left out, so no time matters.
    const ANY_TIME: u64 = 0;
    let everything =
        PendingFilter { start: StreamId::MIN, end: StreamId::MAX, consumer: None, idle_ms_min: 0 };
    write_id(out, group.last_delivered());
    length::write(out, group.entries_read().unwrap_or(READ_UNKNOWN));
    length::write(out, group.pending_len() as u64);
    for (id, pending) in group.pending_matching(everything, ANY_TIME) {
        out.extend(key_of(id));
        out.extend(pending.delivery_time_ms().to_le_bytes());
        length::write(out, pending.delivery_count());
    }
    length::write(out, group.consumers().len() as u64);
    for (name, consumer) in group.consumers() {
        string::write(out, name);
        out.extend(consumer.seen_ms().to_le_bytes());
        length::write(out, consumer.pending_len() as u64);
        for id in consumer.pending_from(StreamId::MIN) {
            out.extend(key_of(id));
        }
    }
}
