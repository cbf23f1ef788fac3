//! COMMAND, all from `command-spec`.

use command_spec::{Args, Arity, CommandSpec, Flags, Group, KeyError, Keys};
use commands::{Result, glob};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::command_table::{CommandTable, Entry, Handler};
use crate::commands::{fail, syntax_error};
use crate::state::{ServerCommand, State};

const FLAGS: Flags = Flags::LOADING.and(Flags::STALE);

/// A container that also is a command of its own: COMMAND without a subcommand lists everything.
pub(crate) const COMMAND: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command",
        Group::Server,
        Arity::AtLeast(1),
        "Returns detailed information about all commands.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("2.8.13"),
    run: |state, _slot, _args, reply| {
        let commands: Vec<&Entry> = top_level(&state.table).collect();
        reply.array(commands.len());
        commands.iter().for_each(|entry| write_command(&state.table, entry, reply));
        Ok(())
    },
};

fn top_level(table: &CommandTable) -> impl Iterator<Item = &Entry> {
    table.entries().iter().filter(|entry| !entry.spec.name.contains('|'))
}

pub(crate) const COUNT: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|count",
        Group::Server,
        Arity::Exactly(2),
        "Returns a count of commands.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("2.8.13"),
    run: |state, _slot, _args, reply| {
        reply.integer(top_level(&state.table).count() as i64);
        Ok(())
    },
};

pub(crate) const INFO: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|info",
        Group::Server,
        Arity::AtLeast(2),
        "Returns information about one, multiple or all commands.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("2.8.13")
    .syntax("[command-name [command-name ...]]"),
    run: info,
};

/// COMMAND INFO [command-name ...]
fn info(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.is_empty() {
        return (COMMAND.run)(state, slot, args, reply);
    }
    let names = args.rest();
    reply.array(names.len());
    for name in names {
        match state.table.by_name(name) {
            Some(index) => write_command(&state.table, state.table.entry(index), reply),
            None => reply.null(),
        }
    }
    Ok(())
}

/// Name, arity, flags, keys (three ways), ACL categories, tips, subcommands.
fn write_command(table: &CommandTable, entry: &Entry, reply: &mut ReplyWriter) {
    let spec = &entry.spec;
    let (first, last, step) = spec.keys.legacy();
    let flags: Vec<&str> = spec.flags.names().collect();
    let categories = spec.acl_categories();

    reply.array(10);
    reply.text(spec.name);
    reply.integer(spec.arity.as_integer());
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    reply.set(categories.len());
    categories.iter().for_each(|category| reply.simple(category));
    reply.array(0);
    write_key_specs(spec, reply);
    let subcommands: Vec<&Entry> = table.subcommands(spec.name).collect();
    reply.array(subcommands.len());
    subcommands.iter().for_each(|subcommand| write_command(table, subcommand, reply));
}

fn write_key_specs(spec: &CommandSpec, reply: &mut ReplyWriter) {
    let fixed = |reply: &mut ReplyWriter, index: usize, last: i64, step: usize, nth: usize| {
        write_key_spec(
            reply,
            spec.flags_of_key(nth),
            |reply| begin_at_index(reply, index),
            |reply| {
                reply.text("range");
                reply.text("spec");
                reply.map(3);
                for (name, value) in [("lastkey", last), ("keystep", step as i64), ("limit", 0)] {
                    reply.text(name);
                    reply.integer(value);
                }
            },
        );
    };
    match spec.keys {
        Keys::None => reply.array(0),
        // Where STORE puts its key is told by the movable-keys flag alone, as Redis does it for SORT.
        Keys::First | Keys::FirstAndStore | Keys::FirstAndStoreFrom(_) => {
            reply.array(1);
            fixed(reply, 1, 0, 1, 0);
        }
        // Keys with which different things are done have a specification each; the last may be a range itself.
        Keys::Range { first, last, step } => {
            let different = spec.key_flags.len().max(1);
            reply.array(different);
            for nth in 0..different - 1 {
                fixed(reply, first + nth, 0, 1, nth);
            }
            let first = first + different - 1;
            let last = if last < 0 { i64::from(last) } else { i64::from(last) - first as i64 };
            fixed(reply, first, last, step, different - 1);
        }
        Keys::Counted { at, also } => {
            reply.array(1 + usize::from(also.is_some()));
            if let Some(also) = also {
                fixed(reply, also, 0, 1, 0);
            }
            write_key_spec(
                reply,
                spec.flags_of_key(usize::from(also.is_some())),
                |reply| begin_at_index(reply, at),
                |reply| {
                    reply.text("keynum");
                    reply.text("spec");
                    reply.map(3);
                    for (name, value) in [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)] {
                        reply.text(name);
                        reply.integer(value);
                    }
                },
            );
        }
        Keys::AfterStreams { from } => {
            reply.array(1);
            let begin = |reply: &mut ReplyWriter| {
                reply.map(2);
                reply.text("type");
                reply.text("keyword");
                reply.text("spec");
                reply.map(2);
                reply.text("keyword");
                reply.text("STREAMS");
                reply.text("startfrom");
                reply.integer(from as i64);
            };
            write_key_spec(reply, spec.flags_of_key(0), begin, |reply| {
                reply.text("range");
                reply.text("spec");
                reply.map(3);
                for (name, value) in [("lastkey", -1), ("keystep", 1), ("limit", 2)] {
                    reply.text(name);
                    reply.integer(value);
                }
            });
        }
    }
}

fn begin_at_index(reply: &mut ReplyWriter, index: usize) {
    reply.map(2);
    reply.text("type");
    reply.text("index");
    reply.text("spec");
    reply.map(1);
    reply.text("index");
    reply.integer(index as i64);
}

fn write_key_flags(flags: &str, reply: &mut ReplyWriter) {
    reply.set(flags.split(' ').count());
    flags.split(' ').for_each(|flag| reply.simple(flag));
}

fn write_key_spec(
    reply: &mut ReplyWriter,
    flags: &str,
    begin: impl FnOnce(&mut ReplyWriter),
    find: impl FnOnce(&mut ReplyWriter),
) {
    reply.map(3);
    reply.text("flags");
    write_key_flags(flags, reply);
    reply.text("begin_search");
    begin(reply);
    reply.text("find_keys");
    reply.map(2);
    reply.text("type");
    find(reply);
}

pub(crate) const LIST: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|list",
        Group::Server,
        Arity::AtLeast(2),
        "Returns a list of command names.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("7.0.0")
    .syntax("[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern>]"),
    run: list,
};

/// COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]
fn list(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut names: Vec<&str> = Vec::new();
    if args.is_empty() {
        names.extend(state.table.entries().iter().map(|entry| entry.spec.name));
    } else if args.len() == 3 && args.keyword("FILTERBY") {
        let all = state.table.entries().iter();
        if args.keyword("MODULE") {
            let module = args.bytes()?;
            let ours = module == b"rg";
            names.extend(
                all.filter(|entry| ours && matches!(entry.handler, Handler::Function))
                    .map(|e| e.spec.name),
            );
        } else if args.keyword("ACLCAT") {
            let category = [b"@", args.bytes()?].concat().to_ascii_lowercase();
            let has = |entry: &&Entry| {
                entry.spec.acl_categories().iter().any(|name| name.as_bytes() == category)
            };
            names.extend(all.filter(has).map(|entry| entry.spec.name));
        } else if args.keyword("PATTERN") {
            let pattern = args.bytes()?;
            names.extend(
                all.map(|entry| entry.spec.name)
                    .filter(|name| glob::matches(pattern, name.as_bytes())),
            );
        } else {
            return syntax_error();
        }
    } else {
        return syntax_error();
    }
    reply.array(names.len());
    names.iter().for_each(|name| reply.text(name));
    Ok(())
}

pub(crate) const GETKEYSANDFLAGS: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|getkeysandflags",
        Group::Server,
        Arity::AtLeast(3),
        "Extracts the key names and access flags for an arbitrary command.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("7.0.0")
    .syntax("command [arg ...]"),
    run: getkeys_and_flags,
};

/// COMMAND GETKEYSANDFLAGS command [arg ...]
fn getkeys_and_flags(
    state: &mut State,
    _slot: Slot,
    mut args: Args,
    reply: &mut ReplyWriter,
) -> Result {
    let request = args.rest();
    let (spec, positions) = keys_of(state, request)?;
    reply.array(positions.len());
    for (index, position) in positions.into_iter().enumerate() {
        reply.array(2);
        reply.bulk(request[position]);
        write_key_flags(flags_in(&spec, request, index), reply);
    }
    Ok(())
}

/// What this very request does with a key, where its command may do one thing or another.
fn flags_in(spec: &CommandSpec, request: &[&[u8]], nth: usize) -> &'static str {
    let has =
        |word: &str| request[2..].iter().any(|other| other.eq_ignore_ascii_case(word.as_bytes()));
    match spec.name {
        "set" if !has("GET") => "OW update",
        "bitfield" if !has("SET") && !has("INCRBY") => "RO access",
        _ => spec.flags_of_key(nth),
    }
}

pub(crate) const GETKEYS: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|getkeys",
        Group::Server,
        Arity::AtLeast(3),
        "Extracts the key names from an arbitrary command.",
    )
    .flags(FLAGS)
    .categories(&["@connection"])
    .since("2.8.13")
    .syntax("command [arg ...]"),
    run: getkeys,
};

/// COMMAND GETKEYS command [arg ...]
fn getkeys(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let request = args.rest();
    let (_, positions) = keys_of(state, request)?;
    reply.array(positions.len());
    positions.iter().for_each(|position| reply.bulk(request[*position]));
    Ok(())
}

fn keys_of(state: &State, request: &[&[u8]]) -> Result<(CommandSpec, Vec<usize>)> {
    let Ok(index) = state.table.find(request) else { return fail("ERR Invalid command specified") };
    let spec = state.table.entry(index).spec;
    if spec.keys == Keys::None {
        return fail("ERR The command has no key arguments");
    }
    if !spec.arity.allows(request.len()) {
        return fail("ERR Invalid number of arguments specified for command");
    }
    match spec.keys.positions(request) {
        Ok(positions) => Ok((spec, positions)),
        Err(KeyError::NoKeys) => fail("ERR The command has no key arguments"),
        Err(KeyError::BadArguments) => fail("ERR Invalid arguments specified for command"),
    }
}
