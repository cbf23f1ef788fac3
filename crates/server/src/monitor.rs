//! MONITOR: clients that see every command that is executed. While there are none, it costs one look at an empty list.

use std::fmt::Write;

use command_spec::Flags;

use crate::client::Slot;
use crate::state::State;

/// False if the client monitors already.
pub(crate) fn start(state: &mut State, slot: Slot) -> bool {
    let client = &mut state.clients[slot];
    if client.is_monitor {
        return false;
    }
    client.is_monitor = true;
    state.monitors.push(slot);
    true
}

pub(crate) fn stop(state: &mut State, slot: Slot) {
    if let Some(client) = state.clients.get_mut(slot) {
        client.is_monitor = false;
        state.monitors.retain(|other| *other != slot);
    }
}

/// Tells all monitors of a command that was executed: its time, its database and client, its words.
pub(crate) fn show(state: &mut State, slot: Slot, entry: usize, request: &[&[u8]]) {
    let spec = &state.table.entry(entry).spec;
    // Commands of administration may hold secrets.
    if spec.flags.intersects(Flags::SKIP_MONITOR.and(Flags::ADMIN)) {
        return;
    }
    let client = &state.clients[slot];
    let unix_us = state.clock.unix_us();
    let mut line = format!(
        "{}.{:06} [{} {}]",
        unix_us / 1_000_000,
        unix_us % 1_000_000,
        client.database,
        client.address
    );
    for (position, word) in request.iter().enumerate() {
        line.push(' ');
        if is_secret(spec.name, position, request) {
            line.push_str("\"(redacted)\"");
        } else {
            push_quoted(&mut line, word);
        }
    }
    for monitor in state.monitors.clone() {
        state.clients.write(monitor, |reply| reply.simple(&line));
    }
}

fn is_secret(command: &str, position: usize, request: &[&[u8]]) -> bool {
    match command {
        "auth" => position > 0,
        "hello" => {
            let auth = request.iter().position(|word| word.eq_ignore_ascii_case(b"auth"));
            auth.is_some_and(|auth| position == auth + 1 || position == auth + 2)
        }
        _ => false,
    }
}

/// As redis-cli quotes: whatever is no printable ASCII is escaped.
fn push_quoted(line: &mut String, word: &[u8]) {
    line.push('"');
    for byte in word {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(*byte)]),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            0x07 => line.push_str("\\a"),
            0x08 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(*byte)),
            _ => write!(line, "\\x{byte:02x}").expect("a String takes all writes"),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_so_that_no_line_breaks() {
        let mut line = String::new();
        push_quoted(&mut line, b"a\x00\n\"b\\ \xff");
        assert_eq!(line, r#""a\x00\n\"b\\ \xff""#);
    }

    #[test]
    fn passwords_are_not_shown() {
        let hello: [&[u8]; 6] = [b"HELLO", b"3", b"auth", b"user", b"secret", b"SETNAME"];
        let shown: Vec<bool> = (0..6).map(|at| is_secret("hello", at, &hello)).collect();
        assert_eq!(shown, [false, false, false, true, true, false]);
        assert!(is_secret("auth", 1, &[b"AUTH", b"secret"]));
    }
}
