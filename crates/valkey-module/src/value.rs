//! A key of the server as readers see it.

use functions::host::Value;
use resp::{Reply, read_reply};

use crate::api::{Context, KeyType};

/// Shows the value of a key of database 0.
///
/// Only types that have a value for functions are fetched, and `visit` is called when nothing is left to fetch. The API could lend a string without copying it, but would first rewrite numbers and
/// short strings in the keyspace; so strings are fetched with GET like everything else.
pub(crate) fn show(server: &Context, key: &[u8], visit: &mut dyn FnMut(Value<'_>)) {
    match server.key_type(key) {
        KeyType::Missing => visit(Value::Missing),
        KeyType::String => match fetch(server, &[b"GET", key]) {
            Some(Reply::Bulk(bytes)) => visit(Value::String(&bytes)),
            _ => visit(Value::Missing),
        },
        KeyType::List => match fetch(server, &[b"LRANGE", key, b"0", b"-1"]) {
            Some(Reply::Array(elements)) => {
                visit(Value::List(&mut elements.iter().filter_map(bytes)));
            }
            _ => visit(Value::Missing),
        },
        KeyType::Hash => match fetch(server, &[b"HGETALL", key]) {
            Some(Reply::Array(elements)) => {
                let mut pairs = elements
                    .chunks_exact(2)
                    .filter_map(|pair| Some((bytes(&pair[0])?, bytes(&pair[1])?)));
                visit(Value::Hash(&mut pairs));
            }
            _ => visit(Value::Missing),
        },
        KeyType::Set => visit(Value::Opaque("set")),
        KeyType::SortedSet => visit(Value::Opaque("zset")),
        KeyType::Stream => visit(Value::Opaque("unknown")),
        KeyType::Other => visit(Value::Opaque("module")),
    }
}

/// SCAN: the next cursor and the keys.
pub(crate) fn scan(
    server: &Context,
    cursor: u64,
    count: usize,
    pattern: Option<&[u8]>,
) -> Option<(u64, Vec<Reply>)> {
    let (cursor, count) = (cursor.to_string(), count.max(1).to_string());
    let mut args: Vec<&[u8]> = vec![b"SCAN", cursor.as_bytes(), b"COUNT", count.as_bytes()];
    args.extend(pattern.into_iter().flat_map(|pattern| [&b"MATCH"[..], pattern]));
    let Some(Reply::Array(page)) = fetch(server, &args) else { return None };
    let [Reply::Bulk(next), Reply::Array(keys)] = <[Reply; 2]>::try_from(page).ok()? else {
        return None;
    };
    Some((str::from_utf8(&next).ok()?.parse().ok()?, keys))
}

pub(crate) fn bytes(reply: &Reply) -> Option<&[u8]> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes),
        _ => None,
    }
}

fn fetch(server: &Context, args: &[&[u8]]) -> Option<Reply> {
    let mut wire = Vec::new();
    server.call(args, &mut wire);
    read_reply(&wire).ok().flatten().map(|(reply, _)| reply)
}
