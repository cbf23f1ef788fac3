//! A batch while it is filled: each record goes straight into the frame, as Python's values.

use functions::host::Value;
use functions::plan::Argument;
use functions::worker::{Farewell, RecordSink};

use crate::marshal::Writer;

pub(crate) struct Records<'w, 'a> {
    to: &'w mut Writer<'a>,
    list: usize,
    len: usize,
}

impl<'w, 'a> Records<'w, 'a> {
    pub(crate) fn open(to: &'w mut Writer<'a>) -> Self {
        let list = to.open_list();
        Records { to, list, len: 0 }
    }

    pub(crate) fn close(self) {
        self.to.close_list(self.list, self.len);
    }

    fn event(&mut self, event: Option<&str>) {
        self.to.name("event");
        match event {
            Some(event) => self.to.name(event),
            None => self.to.none(),
        }
    }

    /// The caller closes the record.
    fn open_key(&mut self, key: &[u8], value: Option<Value<'_>>, event: Option<&str>) {
        self.len += 1;
        self.to.open_dict();
        self.to.name("key");
        self.to.redis(key);
        if let Some(value) = value {
            let kind = self.redis_value(value);
            self.to.name("type");
            self.to.name(kind);
        }
        self.event(event);
    }

    fn stream_entry(&mut self, id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>) {
        self.to.name("id");
        self.to.text(id);
        self.to.name("value");
        self.to.open_dict();
        for (field, value) in fields {
            // Entries of a stream mostly share their fields.
            match str::from_utf8(field) {
                Ok(field) => self.to.name(field),
                Err(_) => self.to.redis(field),
            }
            self.to.redis(value);
        }
        self.to.close_dict();
    }

    fn redis_value(&mut self, value: Value<'_>) -> &'static str {
        self.to.name("value");
        match value {
            Value::Missing => {
                self.to.none();
                "empty"
            }
            Value::String(bytes) => {
                self.to.redis(bytes);
                "string"
            }
            Value::List(items) => {
                let list = self.to.open_list();
                let length = items.map(|item| self.to.redis(item)).count();
                self.to.close_list(list, length);
                "list"
            }
            Value::Hash(fields) => {
                self.to.open_dict();
                for (field, value) in fields {
                    self.to.redis(field);
                    self.to.redis(value);
                }
                self.to.close_dict();
                "hash"
            }
            Value::Set(members) => {
                let list = self.to.open_list();
                let length = members.map(|member| self.to.redis(&member)).count();
                self.to.close_list(list, length);
                "set"
            }
            Value::SortedSet(members) => {
                self.to.open_dict();
                for (member, score) in members {
                    self.to.redis(member);
                    self.to.float(score);
                }
                self.to.close_dict();
                "zset"
            }
            Value::Stream(entries) => {
                let list = self.to.open_list();
                let length = entries
                    .map(|entry| {
                        self.to.open_dict();
                        self.stream_entry(&entry.id, &mut entry.fields.into_iter());
                        self.to.close_dict();
                    })
                    .count();
                self.to.close_list(list, length);
                "stream"
            }
            Value::Opaque(kind) => {
                self.to.none();
                kind
            }
        }
    }
}

impl RecordSink for Records<'_, '_> {
    fn key(&mut self, key: &[u8], value: Option<Value<'_>>, event: Option<&str>) {
        self.open_key(key, value, event);
        self.to.close_dict();
    }

    fn removed(&mut self, key: &[u8], value: Option<Value<'_>>, farewell: Farewell) {
        let reads_value = value.is_some();
        self.open_key(key, value, Some(farewell.event));
        self.to.name("expires_at");
        match farewell.expires_at_ms {
            Some(ms) => self.to.int(ms),
            None => self.to.none(),
        }
        if reads_value {
            self.to.name("truncated");
            self.to.bool(farewell.truncated);
        }
        self.to.close_dict();
    }

    fn bare_key(&mut self, key: &[u8]) {
        self.len += 1;
        self.to.redis(key);
    }

    fn stream(&mut self, key: &[u8], id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>) {
        self.len += 1;
        self.to.open_dict();
        self.to.name("key");
        self.to.redis(key);
        self.stream_entry(id, fields);
        self.to.close_dict();
    }

    fn command(&mut self, args: &mut dyn Iterator<Item = &[u8]>) {
        self.len += 1;
        let list = self.to.open_list();
        let length = args.map(|arg| self.to.redis(arg)).count();
        self.to.close_list(list, length);
    }

    fn value(&mut self, value: &Argument) {
        self.len += 1;
        self.to.argument(value);
    }

    fn len(&self) -> usize {
        self.len
    }

    fn bytes(&self) -> usize {
        self.to.out.len() - self.list
    }
}
