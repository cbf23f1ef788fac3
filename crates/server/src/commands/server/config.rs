use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Error, Result, glob};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::{fail, syntax_error};
use crate::config::ConfigError;
use crate::state::{ServerCommand, State};

const FLAGS: Flags = Flags::ADMIN.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);

pub(crate) const GET: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "config|get",
        Group::Server,
        Arity::AtLeast(3),
        "Returns the effective values of configuration parameters.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("parameter [parameter ...]"),
    run: get,
};

/// CONFIG GET parameter [parameter ...]
fn get(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let patterns: Vec<Vec<u8>> =
        args.rest().iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let found: Vec<(&str, &str)> = state
        .config
        .iter()
        .filter(|(name, _)| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes())))
        .collect();
    reply.map(found.len());
    for (name, value) in found {
        reply.text(name);
        reply.text(value);
    }
    Ok(())
}

pub(crate) const SET: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "config|set",
        Group::Server,
        Arity::AtLeast(4),
        "Sets configuration parameters in-flight.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("<parameter value> ..."),
    run: set,
};

/// CONFIG SET parameter value [parameter value ...]: all or none.
fn set(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let (pairs, odd) = args.rest().as_chunks::<2>();
    if !odd.is_empty() {
        return syntax_error();
    }
    let mut changed = state.config.clone();
    let mut seen: Vec<String> = Vec::new();
    for [name, value] in pairs {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if seen.contains(&name) {
            return Err(failed(&name, "duplicate parameter"));
        }
        let value = String::from_utf8_lossy(value);
        changed.set(&name, &value).map_err(|error| match error {
            ConfigError::Unknown(name) => {
                let text =
                    format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'");
                Error::Text(text.into()).into()
            }
            ConfigError::Immutable(name) => failed(&name, "can't set immutable config"),
            ConfigError::Invalid { name, why } => failed(&name, &why),
            other => failed(&name, &other.to_string()),
        })?;
        seen.push(name);
    }
    state.config = changed;
    state.apply_config();
    crate::gears::apply_config(state);
    reply.ok();
    Ok(())
}

pub(crate) const REWRITE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "config|rewrite",
        Group::Server,
        Arity::Exactly(2),
        "Persists the effective configuration to file.",
    )
    .flags(FLAGS)
    .since("2.8.0"),
    run: |state, _slot, _args, _reply| match state.config.file {
        None => fail("ERR The server is running without a config file"),
        Some(_) => fail("ERR Rewriting the config file is not supported"),
    },
};

fn failed(name: &str, why: &str) -> commands::Halt {
    Error::Text(
        format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}").into(),
    )
    .into()
}

pub(crate) const RESETSTAT: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "config|resetstat",
        Group::Server,
        Arity::Exactly(2),
        "Resets the server's statistics.",
    )
    .flags(FLAGS)
    .since("2.0.0"),
    run: |state, _slot, _args, reply| {
        state.statistics.reset();
        state.table.reset_statistics();
        state.keyspace.reset_statistics();
        reply.ok();
        Ok(())
    },
};
