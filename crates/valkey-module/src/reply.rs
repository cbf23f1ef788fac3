//! The engine's replies, handed to the server element by element: its API takes no wire bytes.

use resp::{Reply, read_reply};

use crate::api::Context;

/// `wire` is one whole reply.
pub(crate) fn send(context: &Context, wire: &[u8]) {
    match read_reply(wire) {
        Ok(Some((reply, _))) => send_value(context, &reply),
        Ok(None) | Err(_) => context.reply_error(b"ERR the function engine gave no proper reply"),
    }
}

fn send_value(context: &Context, reply: &Reply) {
    match reply {
        Reply::Null => context.reply_null(),
        Reply::Simple(text) => context.reply_simple(text),
        Reply::Error(text) => context.reply_error(text),
        Reply::Integer(number) => context.reply_integer(*number),
        Reply::Bulk(bytes) => context.reply_bulk(bytes),
        Reply::Array(elements) => {
            context.reply_array(elements.len());
            elements.iter().for_each(|element| send_value(context, element));
        }
        Reply::Map(_)
        | Reply::Set(_)
        | Reply::Push(_)
        | Reply::Boolean(_)
        | Reply::Double(_)
        | Reply::BigNumber(_)
        | Reply::Verbatim { .. } => unreachable!("the engine speaks RESP2"),
    }
}
