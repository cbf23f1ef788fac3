//! Values of every type in every form, told so that they can be compared, and damage.

use keyspace::value::stream::{
    Acknowledge, BlockLimits, Group, IdSpec, PendingFilter, StreamId, Trim, TrimPrecision,
};
use keyspace::{
    Expiry, Hash, Keyspace, Limits, List, Object, Options, Set, SortedSet, Stream, Value, ValueRef,
};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A multiplicative congruential generator: the same seed replays the same run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
        (self.0 >> 33) as usize % limit
    }

    /// Cuts, overwrites, repeats or inserts somewhere.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len().max(1));
            let byte = [0, 1, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xfe, 0xff, self.below(256) as u8];
            let byte = byte[self.below(byte.len())];
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
    }
}

pub(crate) fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::new(Options { databases: 16, seed: 7 });
    keyspace.set_now(NOW_MS);
    keyspace
}

/// A keyspace with all samples in two databases; every second key of the second one expires some day.
pub(crate) fn filled_keyspace() -> Keyspace {
    let mut keyspace = keyspace();
    for (index, (name, value)) in samples().into_iter().enumerate() {
        keyspace.database(0).insert_value(name.as_bytes(), value.clone(), Expiry::Clear);
        let some_day = Expiry::At(4_000_000_000_000 + index as i64);
        let expiry = if index % 2 == 0 { some_day } else { Expiry::Clear };
        keyspace.database(3).insert_value(name.as_bytes(), value, expiry);
    }
    keyspace.database(3).set_string(b"expired", b"x", Expiry::At(NOW_MS - 1));
    keyspace
}

pub(crate) fn samples() -> Vec<(String, Value)> {
    let limits = Limits::DEFAULT;
    let mut samples = Vec::new();
    for text in ["", "0", "-129", "2147483648", "text", "\u{0}\r\n"] {
        samples.push((format!("string {text}"), Value::String(text.into())));
    }
    samples.push(("string that shrinks".to_owned(), Value::String(b"abcabd".repeat(500))));
    for count in [1, 20, 700] {
        let texts = texts(count);
        let mut list = List::default();
        let mut hash = Hash::default();
        let mut set = Set::default();
        let mut integers = Set::default();
        let mut sorted_set = SortedSet::default();
        for (index, text) in texts.iter().enumerate() {
            list.push_back(text, &limits);
            hash.set(text, format!("{index}").as_bytes(), &limits);
            set.add(text, &limits);
            integers.add(format!("{}", (index as i64 - 5) * 9_999).as_bytes(), &limits);
            let scores = [f64::INFINITY, -0.25, 1e300, 17.0, f64::NEG_INFINITY, index as f64];
            sorted_set.insert(text, scores[index % scores.len()], &limits);
        }
        let objects = [
            ("list", Object::List(list)),
            ("hash", Object::Hash(hash)),
            ("set", Object::Set(set)),
            ("integers", Object::Set(integers)),
            ("sorted set", Object::SortedSet(sorted_set)),
            ("stream", Object::Stream(Box::new(stream(&texts)))),
        ];
        for (name, object) in objects {
            samples.push((format!("{name} of {count}"), Value::Object(object)));
        }
    }
    samples.push(("stream of 0".to_owned(), Value::Object(Object::Stream(Box::default()))));
    samples
}

fn texts(count: usize) -> Vec<Vec<u8>> {
    let text = |index: usize| match index % 4 {
        0 => format!("text {index}").into_bytes(),
        1 => (index * index).to_string().into_bytes(),
        2 => format!("{}", index as i64 * -70_000).into_bytes(),
        _ => format!("{index}").repeat(index % 40).into_bytes(),
    };
    (0..count).map(|index| if count == 1 { b"one".to_vec() } else { text(index) }).collect()
}

fn stream(texts: &[Vec<u8>]) -> Stream {
    let mut stream = Stream::default();
    for (index, text) in texts.iter().enumerate() {
        let fields: &[(&[u8], &[u8])] = match index % 7 {
            0 => &[(b"other", text), (b"7", b"-1")],
            _ => &[(b"name", text), (b"value", b"12345")],
        };
        let id = StreamId::new(1_000 + index as u64 / 3, index as u64 % 3 + 1);
        let limits = BlockLimits::default();
        stream
            .log
            .append(IdSpec::Explicit(id), 0, limits, fields.iter().copied())
            .expect("ids grow");
    }
    stream.create_group(b"idle", Group::new(StreamId::new(5, 5), None));
    stream.create_group(b"busy", Group::new(StreamId::MIN, Some(0)));
    for (name, count) in [(&b"ann"[..], 3), (b"bob", 150), (b"cat", 0)] {
        let reading = stream.reading(b"busy").expect("it was created");
        reading.read_new(name, count, Acknowledge::Later, NOW_MS as u64);
    }
    stream.log.delete(StreamId::new(1_000, 2));
    stream.log.trim(Trim::MaxLen(texts.len() * 3 / 4), TrimPrecision::Exact);
    stream
}

/// All that a value says, whatever form it is in.
pub(crate) fn told(value: &Value) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let object = match value {
        Value::String(bytes) => return vec![text(bytes)],
        Value::Object(object) => object,
    };
    let mut told: Vec<String> = match object {
        Object::List(list) => return list.iter().map(text).collect(),
        Object::Hash(hash) => {
            hash.iter().map(|(field, value)| format!("{} = {}", text(field), text(value))).collect()
        }
        Object::Set(set) => set.iter().map(|member| text(&member)).collect(),
        Object::SortedSet(set) => {
            set.iter().map(|(member, score)| format!("{} {score:?}", text(member))).collect()
        }
        Object::Stream(stream) => return told_stream(stream),
    };
    told.sort();
    told
}

fn told_stream(stream: &Stream) -> Vec<String> {
    let everything =
        PendingFilter { start: StreamId::MIN, end: StreamId::MAX, consumer: None, idle_ms_min: 0 };
    let log = &stream.log;
    let mut told = vec![format!(
        "{} {} {} {}",
        log.first_id(),
        log.last_id(),
        log.max_deleted_id(),
        log.entries_added()
    )];
    told.extend(log.range(StreamId::MIN, StreamId::MAX).map(|entry| {
        let fields: Vec<_> =
            entry.fields.map(|(name, value)| (name.escape_ascii().to_string(), value)).collect();
        format!("{} {fields:?}", entry.id)
    }));
    for (name, group) in stream.groups() {
        told.push(format!("{name:?} {} {:?}", group.last_delivered(), group.entries_read()));
        for (name, consumer) in group.consumers() {
            told.push(format!("{name:?} {} {}", consumer.seen_ms(), consumer.pending_len()));
        }
        for (id, pending) in group.pending_matching(everything, 0) {
            told.push(format!(
                "{id} {:?} {} {}",
                pending.consumer(),
                pending.delivery_time_ms(),
                pending.delivery_count()
            ));
        }
    }
    told
}

pub(crate) fn as_ref(value: &Value) -> ValueRef<'_> {
    match value {
        Value::String(bytes) => ValueRef::String(keyspace::StringRef::Bytes(bytes)),
        Value::Object(object) => ValueRef::Object(object),
    }
}

/// Everything that a keyspace says: database, key, expiry, value.
pub(crate) fn told_keyspace(
    keyspace: &mut Keyspace,
) -> Vec<(usize, String, Option<i64>, Vec<String>)> {
    let mut told_keys = Vec::new();
    for db in 0..keyspace.databases() {
        keyspace.database(db).for_each_entry(|key, value, expiry| {
            let value = match value {
                ValueRef::String(text) => Value::String(text.to_vec()),
                ValueRef::Object(object) => Value::Object(object.clone()),
            };
            told_keys.push((db, key.escape_ascii().to_string(), expiry, told(&value)));
        });
    }
    told_keys.sort();
    told_keys
}
