//! CLIENT …

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Error, Result};
use resp::{Protocol, ReplyWriter};

use crate::blocking;
use crate::client::{Address, Client, ReplyMode, Slot};
use crate::commands::{fail, syntax_error, wrong_usage};
use crate::state::{ServerCommand, State};

const FLAGS: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE);
const ADMIN: Flags = FLAGS.and(Flags::ADMIN);

const fn spec(
    name: &'static str,
    arity: Arity,
    flags: Flags,
    since: &'static str,
    summary: &'static str,
) -> CommandSpec {
    CommandSpec::new(name, Group::Connection, arity, summary).flags(flags).since(since)
}

pub(crate) const ID: ServerCommand = ServerCommand {
    spec: spec(
        "client|id",
        Arity::Exactly(2),
        FLAGS,
        "5.0.0",
        "Returns the unique client ID of the connection.",
    ),
    run: |state, slot, _args, reply| {
        reply.integer(state.clients[slot].id as i64);
        Ok(())
    },
};

pub(crate) const GETNAME: ServerCommand = ServerCommand {
    spec: spec(
        "client|getname",
        Arity::Exactly(2),
        FLAGS,
        "2.6.9",
        "Returns the name of the connection.",
    ),
    run: |state, slot, _args, reply| {
        match state.clients[slot].name.as_slice() {
            [] => reply.null(),
            name => reply.bulk(name),
        }
        Ok(())
    },
};

pub(crate) const SETNAME: ServerCommand = ServerCommand {
    spec: spec("client|setname", Arity::Exactly(3), FLAGS, "2.6.9", "Sets the connection name.")
        .syntax("connection-name"),
    run: setname,
};

/// CLIENT SETNAME connection-name
fn setname(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let name = check_name(args.bytes()?)?;

    state.clients[slot].name = name.to_vec();
    reply.ok();
    Ok(())
}

/// A name must not break CLIENT LIST's lines.
pub(super) fn check_name(name: &[u8]) -> Result<&[u8]> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(name);
    }
    fail("ERR Client names cannot contain spaces, newlines or special characters.")
}

pub(crate) const SETINFO: ServerCommand = ServerCommand {
    spec: spec(
        "client|setinfo",
        Arity::Exactly(4),
        FLAGS,
        "7.2.0",
        "Sets information specific to the client or connection.",
    )
    .syntax("<LIB-NAME libname|LIB-VER libver>"),
    run: setinfo,
};

/// CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>
fn setinfo(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let attribute = args.bytes()?;
    let value = args.bytes()?;
    let client = &mut state.clients[slot];
    let name = String::from_utf8_lossy(attribute);
    let field = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut client.library_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut client.library_version
    } else {
        let text = format!("ERR Unrecognized option '{name}'");
        return Err(Error::Text(text.into()).into());
    };
    if !value.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        let text = format!("ERR {name} cannot contain spaces, newlines or special characters.");
        return Err(Error::Text(text.into()).into());
    }

    *field = value.to_vec();
    reply.ok();
    Ok(())
}

pub(crate) const INFO: ServerCommand = ServerCommand {
    spec: spec(
        "client|info",
        Arity::Exactly(2),
        FLAGS,
        "6.2.0",
        "Returns information about the connection.",
    ),
    run: |state, slot, _args, reply| {
        let line = describe(state, slot, &state.clients[slot]) + "\n";
        reply.verbatim(*b"txt", line.as_bytes());
        Ok(())
    },
};

pub(crate) const LIST: ServerCommand = ServerCommand {
    spec: spec("client|list", Arity::AtLeast(2), ADMIN, "2.4.0", "Lists open connections.")
        .syntax("[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID client-id [client-id ...]]"),
    run: list,
};

/// CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]
fn list(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut wanted_type = None;
    let mut ids: Option<Vec<u64>> = None;
    if args.keyword("TYPE") {
        wanted_type = Some(client_type(args.bytes()?)?);
    } else if args.keyword("ID") {
        let mut wanted = vec![client_id(args.bytes()?)?];
        while !args.is_empty() {
            wanted.push(client_id(args.bytes()?)?);
        }
        ids = Some(wanted);
    }
    args.finish()?;

    let mut text = String::new();
    for (slot, client) in state.clients.iter() {
        let of_type = wanted_type.is_none_or(|name| name == kind(client));
        if of_type && ids.as_ref().is_none_or(|ids| ids.contains(&client.id)) {
            text.push_str(&describe(state, slot, client));
            text.push('\n');
        }
    }
    reply.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

fn client_type(word: &[u8]) -> Result<&'static str> {
    let known = ["normal", "master", "replica", "slave", "pubsub"];
    let found = known.into_iter().find(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    found.ok_or_else(|| {
        let text = format!("ERR Unknown client type '{}'", String::from_utf8_lossy(word));
        Error::Text(text.into()).into()
    })
}

fn client_id(text: &[u8]) -> Result<u64> {
    let id = resp::parse_integer(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| Error::text("ERR Invalid client ID").into())
}

fn kind(client: &Client) -> &'static str {
    if client.is_subscriber() { "pubsub" } else { "normal" }
}

/// A line of CLIENT LIST.
fn describe(state: &State, slot: Slot, client: &Client) -> String {
    let now_ms = state.clock.unix_ms();
    let mut flags = String::new();
    if client.blocked.is_some() {
        flags.push('b');
    }
    if client.is_monitor {
        flags.push('O');
    }
    if client.transaction.is_open() {
        flags.push('x');
    }
    if client.is_subscriber() {
        flags.push('P');
    }
    if matches!(client.address, Address::Unix { .. }) {
        flags.push('U');
    }
    if flags.is_empty() {
        flags.push('N');
    }
    let local = match &client.address {
        Address::Tcp { local, .. } => local.to_string(),
        address => address.to_string(),
    };
    let multi = client.transaction.queue.as_ref().map_or(-1, |queue| queue.len() as i64);
    let command = client.last_command.map_or("NULL", |index| state.table.entry(index).spec.name);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "id={} addr={} laddr={local} fd={} name={} age={} idle={} flags={flags} db={} sub={} psub={} ssub={} multi={multi} \
         qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r cmd={command} user=default \
         redir=-1 resp={} lib-name={} lib-ver={}",
        client.id,
        client.address,
        slot + 7,
        text(&client.name),
        (now_ms - client.connected_ms) / 1000,
        (now_ms - client.active_ms) / 1000,
        client.database,
        client.channels.len(),
        client.patterns.len(),
        client.shard_channels.len(),
        client.unsent(),
        client.output.capacity(),
        if client.protocol == Protocol::Resp3 { 3 } else { 2 },
        text(&client.library_name),
        text(&client.library_version),
    )
}

pub(crate) const KILL: ServerCommand = ServerCommand {
    spec: spec("client|kill", Arity::AtLeast(3), ADMIN, "2.4.0", "Terminates open connections.")
        .syntax(
            "<old-format|<ID client-id|ADDR ip-port|LADDR ip-port|USER username|SKIPME yesno> ...>",
        ),
    run: kill,
};

/// One condition of CLIENT KILL.
type ClientTest = Box<dyn Fn(&Client) -> bool>;

/// CLIENT KILL ip:port | [ID client-id] [ADDR ip:port] [LADDR ip:port] [USER username] [TYPE type] [SKIPME yes|no]
fn kill(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.len() == 1 {
        let address = args.bytes()?;
        let found = state
            .clients
            .iter()
            .find(|(_, client)| client.address.to_string().as_bytes() == address);
        let Some((victim, _)) = found else { return fail("ERR No such client") };
        end(state, slot, victim);
        reply.ok();
        return Ok(());
    }
    let mut tests: Vec<ClientTest> = Vec::new();
    let mut skip_me = true;
    while !args.is_empty() {
        if args.len() < 2 {
            return syntax_error();
        }
        if args.keyword("ID") {
            let Ok(id) = client_id(args.bytes()?) else {
                return fail("ERR client-id should be greater than 0");
            };
            tests.push(Box::new(move |client| client.id == id));
        } else if args.keyword("ADDR") {
            let address = args.bytes()?.to_vec();
            tests.push(Box::new(move |client| client.address.to_string().as_bytes() == address));
        } else if args.keyword("LADDR") {
            let address = args.bytes()?.to_vec();
            tests.push(Box::new(move |client| {
                matches!(&client.address, Address::Tcp { local, .. } if local.to_string().as_bytes() == address)
            }));
        } else if args.keyword("USER") {
            let user = args.bytes()?;
            if user != b"default" {
                let text = format!("ERR No such user '{}'", String::from_utf8_lossy(user));
                return Err(Error::Text(text.into()).into());
            }
        } else if args.keyword("TYPE") {
            let name = client_type(args.bytes()?)?;
            tests.push(Box::new(move |client| kind(client) == name));
        } else if args.keyword("SKIPME") {
            skip_me = if args.keyword("yes") {
                true
            } else if args.keyword("no") {
                false
            } else {
                return syntax_error();
            };
        } else {
            return syntax_error();
        }
    }
    let victims: Vec<Slot> = state
        .clients
        .iter()
        .filter(|(other, client)| {
            (!skip_me || *other != slot) && tests.iter().all(|test| test(client))
        })
        .map(|(other, _)| other)
        .collect();
    for victim in &victims {
        end(state, slot, *victim);
    }
    reply.integer(victims.len() as i64);
    Ok(())
}

/// The killer itself still gets its reply.
fn end(state: &mut State, killer: Slot, victim: Slot) {
    if victim == killer {
        state.clients[victim].closing = true;
    } else {
        state.clients.condemn(victim);
    }
}

pub(crate) const REPLY: ServerCommand = ServerCommand {
    spec: spec(
        "client|reply",
        Arity::Exactly(3),
        FLAGS,
        "3.2.0",
        "Instructs the server whether to reply to commands.",
    )
    .syntax("<ON|OFF|SKIP>"),
    run: reply_mode,
};

/// CLIENT REPLY <ON | OFF | SKIP>
fn reply_mode(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let client = &mut state.clients[slot];
    if args.keyword("ON") {
        client.reply_mode = ReplyMode::On;
        reply.ok();
    } else if args.keyword("OFF") {
        client.reply_mode = ReplyMode::Off;
    } else if args.keyword("SKIP") {
        if client.reply_mode != ReplyMode::Off {
            client.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return syntax_error();
    }
    Ok(())
}

/// Takes the reply to a command away from a client that asked for none. `start`: where the reply begins.
pub(crate) fn apply_reply_mode(client: &mut Client, start: usize, out: &mut Vec<u8>) {
    // The reply to SKIP itself is empty: it is the next one that goes.
    if client.reply_mode == ReplyMode::SkipNext && out.len() > start {
        client.reply_mode = ReplyMode::On;
    }
    out.truncate(start);
}

pub(crate) const UNBLOCK: ServerCommand = ServerCommand {
    spec: spec(
        "client|unblock",
        Arity::AtLeast(3),
        ADMIN,
        "5.0.0",
        "Unblocks a client blocked by a blocking command.",
    )
    .syntax("client-id [TIMEOUT|ERROR]"),
    run: unblock,
};

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
fn unblock(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let id = args.integer()?;
    let with_error = args.keyword("ERROR");
    if !with_error && !args.is_empty() && !args.keyword("TIMEOUT") {
        return fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
    if !args.is_empty() {
        return wrong_usage("UNBLOCK", "CLIENT");
    }

    let victim = u64::try_from(id).ok().and_then(|id| state.clients.by_id(id));
    let released = victim.and_then(|victim| {
        let blocked = blocking::release(
            &mut state.blocking,
            &mut state.keyspace,
            &mut state.clients,
            victim,
        )?;
        Some((victim, blocked))
    });
    let Some((victim, blocked)) = released else {
        reply.integer(0);
        return Ok(());
    };
    state.clients.write(victim, |reply| {
        if with_error {
            reply.error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK");
        } else {
            blocked.wait.absence.write(reply);
        }
    });
    state.clients.resume(victim);
    reply.integer(1);
    Ok(())
}

pub(crate) const GETREDIR: ServerCommand = ServerCommand {
    spec: spec(
        "client|getredir",
        Arity::Exactly(2),
        FLAGS,
        "6.0.0",
        "Returns the client ID to which the connection's tracking notifications are redirected.",
    ),
    run: |_state, _slot, _args, reply| {
        reply.integer(-1);
        Ok(())
    },
};

pub(crate) const TRACKING: ServerCommand = ServerCommand {
    spec: spec(
        "client|tracking",
        Arity::AtLeast(3),
        FLAGS,
        "6.0.0",
        "Controls server-assisted client-side caching for the connection.",
    )
    .syntax("<ON|OFF>"),
    run: |_state, _slot, mut args, reply| {
        if args.keyword("ON") {
            return fail("ERR Tracking keys for client-side caching is not supported yet");
        }
        if !args.keyword("OFF") {
            return syntax_error();
        }
        reply.ok();
        Ok(())
    },
};

pub(crate) const TRACKINGINFO: ServerCommand = ServerCommand {
    spec: spec(
        "client|trackinginfo",
        Arity::Exactly(2),
        FLAGS,
        "6.2.0",
        "Returns information about server-assisted client-side caching for the connection.",
    ),
    run: |_state, _slot, _args, reply| {
        reply.map(3);
        reply.text("flags");
        reply.set(1);
        reply.text("off");
        reply.text("redirect");
        reply.integer(-1);
        reply.text("prefixes");
        reply.array(0);
        Ok(())
    },
};

/// Clients are never paused, so there is none to resume.
pub(crate) const UNPAUSE: ServerCommand = ServerCommand {
    spec: spec(
        "client|unpause",
        Arity::Exactly(2),
        ADMIN,
        "6.2.0",
        "Resumes processing commands from paused clients.",
    ),
    run: |_state, _slot, _args, reply| {
        reply.ok();
        Ok(())
    },
};

macro_rules! accepted_switch {
    ($constant:ident, $name:literal, $since:literal, $summary:literal) => {
        /// Accepted: nothing is evicted, and access times decide nothing yet.
        pub(crate) const $constant: ServerCommand = ServerCommand {
            spec: spec($name, Arity::Exactly(3), ADMIN, $since, $summary).syntax("<ON|OFF>"),
            run: |_state, _slot, mut args, reply| {
                if !args.keyword("ON") && !args.keyword("OFF") {
                    return syntax_error();
                }
                reply.ok();
                Ok(())
            },
        };
    };
}

accepted_switch!(
    NO_EVICT,
    "client|no-evict",
    "7.0.0",
    "Sets the client eviction mode of the connection."
);
accepted_switch!(
    NO_TOUCH,
    "client|no-touch",
    "7.2.0",
    "Controls whether commands sent by the client affect the LRU/LFU of accessed keys."
);
