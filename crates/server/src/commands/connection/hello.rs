use command_spec::{Args, Arity, CommandSpec, Group};
use commands::{Error, Result};
use resp::{Protocol, ReplyWriter};

use super::HANDSHAKE;
use super::auth::authenticate;
use super::client::check_name;
use crate::REDIS_VERSION;
use crate::client::Slot;
use crate::commands::fail;
use crate::state::{ServerCommand, State};

pub(crate) const HELLO: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "hello",
        Group::Connection,
        Arity::AtLeast(1),
        "Handshakes with the server.",
    )
    .flags(HANDSHAKE)
    .since("6.0.0")
    .syntax("[protover] [AUTH <username password>] [SETNAME clientname]"),
    run: hello,
};

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
fn hello(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut protocol = state.clients[slot].protocol;
    if !args.is_empty() {
        let Ok(version) = args.integer() else {
            return fail("ERR Protocol version is not an integer or out of range");
        };
        protocol = match version {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return fail("NOPROTO unsupported protocol version"),
        };
    }
    let (mut credentials, mut name) = (None, None);
    while let Some(word) = args.peek() {
        if args.len() >= 3 && args.keyword("AUTH") {
            credentials = Some((args.bytes()?, args.bytes()?));
        } else if args.len() >= 2 && args.keyword("SETNAME") {
            name = Some(check_name(args.bytes()?)?);
        } else {
            let text =
                format!("ERR Syntax error in HELLO option '{}'", String::from_utf8_lossy(word));
            return Err(Error::Text(text.into()).into());
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(state, slot, user, password)?;
    }
    let client = &mut state.clients[slot];
    if !client.authenticated {
        return fail(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        );
    }

    if let Some(name) = name {
        client.name = name.to_vec();
    }
    client.protocol = protocol;
    reply.set_protocol(protocol);
    reply.map(7);
    reply.text("server");
    reply.text("redis");
    reply.text("version");
    reply.text(REDIS_VERSION);
    reply.text("proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.text("id");
    reply.integer(client.id as i64);
    reply.text("mode");
    reply.text("standalone");
    reply.text("role");
    reply.text("master");
    reply.text("modules");
    crate::commands::server::write_modules(reply);
    Ok(())
}
