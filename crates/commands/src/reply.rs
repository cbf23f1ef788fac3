//! How values of the keyspace are written into replies.

use keyspace::StringRef;
use resp::ReplyWriter;

#[inline]
pub(crate) fn write_string(reply: &mut ReplyWriter<'_>, value: &StringRef<'_>) {
    match value {
        StringRef::Bytes(bytes) => reply.bulk(bytes),
        StringRef::Int(value) => reply.bulk_integer(*value),
    }
}
