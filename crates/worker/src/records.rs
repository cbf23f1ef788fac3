//! A batch while it is filled: each record goes straight into the frame, as Python's values.

use functions::host::Value;
use functions::plan::{Argument, Visible};
use functions::worker::{Farewell, RecordSink};

use crate::marshal::Writer;

pub(crate) struct Records<'w, 'a> {
    to: &'w mut Writer<'a>,
    list: usize,
    len: usize,
    visible: Visible,
}

impl<'w, 'a> Records<'w, 'a> {
    pub(crate) fn open(to: &'w mut Writer<'a>) -> Self {
        let list = to.open_list();
        Records { to, list, len: 0, visible: Visible::ALL }
    }

    pub(crate) fn close(self) {
        self.to.close_list(self.list, self.len);
    }

    fn event(&mut self, event: Option<&str>) {
        if !self.visible.event {
            return;
        }
        self.to.name("event");
        match event {
            Some(event) => self.to.name(event),
            None => self.to.none(),
        }
    }

    fn record_key(&mut self, key: &[u8]) {
        if self.visible.key {
            self.to.name("key");
            self.to.redis(key);
        }
    }

    /// The caller closes the record.
    fn open_key(&mut self, key: &[u8], value: Option<Value<'_>>, event: Option<&str>) {
        self.len += 1;
        self.to.open_dict();
        self.record_key(key);
        if let Some(value) = value {
            let kind = value.type_name();
            if self.visible.value {
                self.to.name("value");
                self.redis_value(value);
            }
            if self.visible.kind {
                self.to.name("type");
                self.to.name(kind);
            }
        }
        self.event(event);
    }

    fn stream_entry(&mut self, id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>) {
        self.to.name("id");
        self.to.text(id);
        self.to.name("value");
        self.stream_fields(fields, &Visible::ALL);
    }

    fn stream_fields(
        &mut self,
        fields: &mut dyn Iterator<Item = (&[u8], &[u8])>,
        visible: &Visible,
    ) {
        self.to.open_dict();
        for (field, value) in fields {
            if visible.shows_inner(field) {
                // Entries of a stream mostly share their fields.
                self.field(field);
                self.to.redis(value);
            }
        }
        self.to.close_dict();
    }

    fn redis_value(&mut self, value: Value<'_>) {
        match value {
            Value::Missing | Value::Opaque(_) => self.to.none(),
            Value::String(bytes) => self.to.redis(bytes),
            Value::List(items) => {
                let list = self.to.open_list();
                let length = items.map(|item| self.to.redis(item)).count();
                self.to.close_list(list, length);
            }
            Value::Hash(fields) => {
                self.to.open_dict();
                for (field, value) in fields {
                    match &self.visible.inner {
                        None => self.to.redis(field),
                        Some(_) if !self.visible.shows_inner(field) => continue,
                        // A few fields of many hashes: they are spelled once.
                        Some(_) => self.field(field),
                    }
                    self.to.redis(value);
                }
                self.to.close_dict();
            }
            Value::Set(members) => {
                let list = self.to.open_list();
                let length = members.map(|member| self.to.redis(&member)).count();
                self.to.close_list(list, length);
            }
            Value::SortedSet(members) => {
                self.to.open_dict();
                for (member, score) in members {
                    self.to.redis(member);
                    self.to.float(score);
                }
                self.to.close_dict();
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
            }
        }
    }

    fn field(&mut self, field: &[u8]) {
        match str::from_utf8(field) {
            Ok(field) => self.to.name(field),
            Err(_) => self.to.redis(field),
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

    fn show(&mut self, visible: &Visible) {
        self.visible.clone_from(visible);
    }

    fn bare_key(&mut self, key: &[u8]) {
        self.len += 1;
        self.to.redis(key);
    }

    fn stream(&mut self, key: &[u8], id: &str, fields: &mut dyn Iterator<Item = (&[u8], &[u8])>) {
        self.len += 1;
        self.to.open_dict();
        if self.visible.key {
            // One stream gives the whole batch.
            self.to.name("key");
            self.field(key);
        }
        if self.visible.id {
            self.to.name("id");
            self.to.text(id);
        }
        if self.visible.value {
            self.to.name("value");
            let visible = std::mem::replace(&mut self.visible, Visible::ALL);
            self.stream_fields(fields, &visible);
            self.visible = visible;
        }
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
