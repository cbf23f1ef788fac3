//! What XINFO STREAM … FULL shows.

use keyspace::Stream;
use keyspace::value::stream::{Consumer, Group, PendingFilter, StreamId};
use resp::ReplyWriter;

use super::entry::write_entries;
use super::id::write_id;
use super::info::{write_log, write_progress};

const ALL: PendingFilter =
    PendingFilter { start: StreamId::MIN, end: StreamId::MAX, consumer: None, idle_ms_min: 0 };

/// Of each list of entries or deliveries the first `count`.
pub(super) fn write_full(reply: &mut ReplyWriter, stream: &Stream, count: usize) {
    reply.map(9);
    write_log(reply, &stream.log);
    reply.text("entries");
    write_entries(reply, stream.log.range(StreamId::MIN, StreamId::MAX).take(count));
    reply.text("groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.text("name");
        reply.bulk(name);
        write_progress(reply, stream, group);
        write_pending(reply, group, count);
        reply.text("consumers");
        reply.array(group.consumers().len());
        for (name, consumer) in group.consumers() {
            write_consumer(reply, group, name, consumer, count);
        }
    }
}

fn write_pending(reply: &mut ReplyWriter, group: &Group, count: usize) {
    reply.text("pel-count");
    reply.integer(group.pending_len() as i64);
    reply.text("pending");
    reply.array(group.pending_len().min(count));
    // No delivery is too young for the filter, so the time does not matter.
    for (id, pending) in group.pending_matching(ALL, 0).take(count) {
        reply.array(4);
        write_id(reply, id);
        reply.bulk(pending.consumer());
        reply.integer(pending.delivery_time_ms().cast_signed());
        reply.integer(pending.delivery_count().cast_signed());
    }
}

fn write_consumer(
    reply: &mut ReplyWriter,
    group: &Group,
    name: &[u8],
    consumer: &Consumer,
    count: usize,
) {
    reply.map(5);
    reply.text("name");
    reply.bulk(name);
    reply.text("seen-time");
    reply.integer(consumer.seen_ms().cast_signed());
    reply.text("active-time");
    reply.integer(consumer.active_ms().map_or(-1, u64::cast_signed));
    reply.text("pel-count");
    reply.integer(consumer.pending_len() as i64);
    reply.text("pending");
    reply.array(consumer.pending_len().min(count));
    let ids = consumer.pending_from(StreamId::MIN).take(count);
    for (id, pending) in ids.filter_map(|id| Some((id, group.pending(id)?))) {
        reply.array(3);
        write_id(reply, id);
        reply.integer(pending.delivery_time_ms().cast_signed());
        reply.integer(pending.delivery_count().cast_signed());
    }
}
