//! How entries are written into replies.

use keyspace::value::stream::{Entry, StreamId};
use resp::{Protocol, ReplyWriter};

use super::id::write_id;

/// An array of entries, whose number is known when they have been walked.
pub(super) fn write_entries<'e>(reply: &mut ReplyWriter, entries: impl Iterator<Item = Entry<'e>>) {
    let mark = reply.begin();
    let mut count = 0;
    for entry in entries {
        write_entry(reply, entry);
        count += 1;
    }
    reply.end_array(mark, count);
}

/// The id and a flat array of the fields, in RESP3 too.
pub(super) fn write_entry(reply: &mut ReplyWriter, entry: Entry) {
    reply.array(2);
    write_id(reply, entry.id);
    reply.array(2 * entry.fields.len());
    for (name, value) in entry.fields {
        reply.bulk(name);
        reply.bulk(value);
    }
}

/// An entry that is pending but was deleted.
pub(super) fn write_deleted(reply: &mut ReplyWriter, id: StreamId) {
    reply.array(2);
    write_id(reply, id);
    reply.null_array();
}

pub(super) fn write_ids(reply: &mut ReplyWriter, ids: impl ExactSizeIterator<Item = StreamId>) {
    reply.array(ids.len());
    ids.for_each(|id| write_id(reply, id));
}

/// What several streams gave: a map in RESP3, and an array of pairs in RESP2.
pub(super) struct StreamReplies {
    mark: resp::Mark,
    pub(super) count: usize,
}

impl StreamReplies {
    pub(super) fn begin(reply: &mut ReplyWriter) -> StreamReplies {
        StreamReplies { mark: reply.begin(), count: 0 }
    }

    /// The entries of the stream are to follow.
    pub(super) fn begin_stream(&mut self, reply: &mut ReplyWriter, key: &[u8]) {
        if reply.protocol() == Protocol::Resp2 {
            reply.array(2);
        }
        reply.bulk(key);
        self.count += 1;
    }

    pub(super) fn end(self, reply: &mut ReplyWriter) {
        match reply.protocol() {
            Protocol::Resp2 => reply.end_array(self.mark, self.count),
            Protocol::Resp3 => reply.end_map(self.mark, self.count),
        }
    }
}
