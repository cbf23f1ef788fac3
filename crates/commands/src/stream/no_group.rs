//! What is said of a group that does not exist.

use crate::{Error, Halt};

/// Where the key may be what is missing.
pub(super) fn no_key_or_group(key: &[u8], group: &[u8]) -> Halt {
    no_group(format_args!("No such key '{}' or consumer group '{}'", text(key), text(group)))
}

pub(super) fn no_key_or_group_to_read(key: &[u8], group: &[u8]) -> Halt {
    let (key, group) = (text(key), text(group));
    no_group(format_args!(
        "No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option"
    ))
}

/// Where the key is there.
pub(super) fn no_group_of_key(key: &[u8], group: &[u8]) -> Halt {
    let (key, group) = (text(key), text(group));
    no_group(format_args!("No such consumer group '{group}' for key name '{key}'"))
}

fn no_group(what: std::fmt::Arguments) -> Halt {
    Error::Text(format!("NOGROUP {what}").into()).into()
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
