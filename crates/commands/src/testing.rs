//! Runs commands as text against a fresh keyspace, for tests of single commands.

use command_spec::Args;
use keyspace::{Event, Interest, Keyspace, Options};
use resp::{Protocol, Reply, ReplyWriter, read_reply};

use crate::{Halt, all};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Runs commands, one a line, and gives the last one's reply. `halted` waits answer as they do inside MULTI.
pub(crate) fn run(script: &str) -> Reply {
    run_as(script, Protocol::Resp2)
}

/// As [`run`], for a client that speaks RESP3.
pub(crate) fn run_resp3(script: &str) -> Reply {
    run_as(script, Protocol::Resp3)
}

fn run_as(script: &str, protocol: Protocol) -> Reply {
    let mut keyspace = Keyspace::new(Options { databases: 16, seed: 7 });
    keyspace.set_now(NOW_MS);
    let mut last = Reply::Null;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        last = run_one_as(&mut keyspace, line, protocol);
    }
    last
}

pub(crate) fn run_one(keyspace: &mut Keyspace, line: &str) -> Reply {
    run_one_as(keyspace, line, Protocol::Resp2)
}

fn run_one_as(keyspace: &mut Keyspace, line: &str, protocol: Protocol) -> Reply {
    let words = resp::split_arguments(line.as_bytes()).expect("quotes are closed");
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let name = String::from_utf8(words[0].to_ascii_lowercase()).expect("names are ASCII");
    let (command, skip) = all()
        .find(|command| command.spec.name == name)
        .map(|command| (command, 1))
        .or_else(|| {
            let subcommand =
                format!("{name}|{}", String::from_utf8_lossy(words.get(1)?).to_lowercase());
            all().find(|command| command.spec.name == subcommand).map(|command| (command, 2))
        })
        .unwrap_or_else(|| panic!("no command {name}"));
    assert!(command.spec.arity.allows(words.len()), "wrong number of arguments: {line}");
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out, protocol);
    let result = (command.run)(&mut keyspace.database(0), Args::new(&words[skip..]), &mut reply);
    if let Err(halt) = result {
        out.clear();
        let mut reply = ReplyWriter::new(&mut out, protocol);
        match halt {
            Halt::Error(error) => reply.error(error.to_string().as_bytes()),
            Halt::Wait(wait) => wait.refusal.write(&mut reply),
        }
    }
    let (reply, len) = read_reply(&out).expect("a well-formed reply").expect("a whole reply");
    assert_eq!(len, out.len(), "exactly one reply to {line}");
    reply
}

/// Runs commands, one a line, and tells the last one's events: `lpush key`.
pub(crate) fn events(script: &str) -> Vec<String> {
    let mut keyspace = Keyspace::new(Options { databases: 16, seed: 7 });
    keyspace.set_now(NOW_MS);
    keyspace.set_interest(Interest::COMMON);
    let mut events = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        events.clear();
        run_one(&mut keyspace, line);
        keyspace.take_events(&mut events);
    }
    let tell = |event: &Event| format!("{} {}", event.kind.name, event.key.escape_ascii());
    events.iter().map(tell).collect()
}

pub(crate) fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

pub(crate) fn error(text: &str) -> Reply {
    Reply::Error(text.as_bytes().to_vec())
}
