use command_spec::{Args, Argument, Arity, CommandSpec, Flags, Group, parse_syntax};
use commands::Result;
use resp::ReplyWriter;

use crate::client::Slot;
use crate::command_table::{CommandTable, Entry};
use crate::state::{ServerCommand, State};

pub(crate) const DOCS: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "command|docs",
        Group::Server,
        Arity::AtLeast(2),
        "Returns documentary information about one, multiple or all commands.",
    )
    .flags(Flags::LOADING.and(Flags::STALE))
    .categories(&["@connection"])
    .since("7.0.0")
    .syntax("[command-name [command-name ...]]"),
    run: docs,
};

/// COMMAND DOCS [command-name ...]: redis-cli takes its completion and its hints from here.
fn docs(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let table = &state.table;
    let entries: Vec<&Entry> = if args.is_empty() {
        table.entries().iter().filter(|entry| !entry.spec.name.contains('|')).collect()
    } else {
        args.rest()
            .iter()
            .filter_map(|name| table.by_name(name))
            .map(|index| table.entry(index))
            .collect()
    };
    reply.map(entries.len());
    entries.iter().for_each(|entry| write_docs(table, entry, reply));
    Ok(())
}

fn write_docs(table: &CommandTable, entry: &Entry, reply: &mut ReplyWriter) {
    let spec = &entry.spec;
    let arguments = parse_syntax(spec.syntax);
    let subcommands: Vec<&Entry> = table.subcommands(spec.name).collect();

    reply.text(spec.name);
    reply.map(3 + usize::from(!arguments.is_empty()) + usize::from(!subcommands.is_empty()));
    reply.text("summary");
    reply.text(spec.summary);
    reply.text("since");
    reply.text(spec.since);
    reply.text("group");
    reply.text(spec.group.name());
    if !arguments.is_empty() {
        reply.text("arguments");
        write_arguments(&arguments, reply);
    }
    if !subcommands.is_empty() {
        reply.text("subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|subcommand| write_docs(table, subcommand, reply));
    }
}

fn write_arguments(arguments: &[Argument], reply: &mut ReplyWriter) {
    reply.array(arguments.len());
    for argument in arguments {
        let flags: Vec<&str> = [(argument.optional, "optional"), (argument.multiple, "multiple")]
            .into_iter()
            .filter_map(|(set, name)| set.then_some(name))
            .collect();
        let fields = 2
            + usize::from(argument.token.is_some())
            + usize::from(!flags.is_empty())
            + usize::from(!argument.children.is_empty())
            + usize::from(argument.kind == command_spec::ArgumentKind::Key);
        reply.map(fields);
        reply.text("name");
        reply.text(&argument.name);
        reply.text("type");
        reply.text(argument.kind.name());
        if argument.kind == command_spec::ArgumentKind::Key {
            reply.text("key_spec_index");
            reply.integer(0);
        }
        if let Some(token) = &argument.token {
            reply.text("token");
            reply.text(token);
        }
        if !flags.is_empty() {
            reply.text("flags");
            reply.set(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if !argument.children.is_empty() {
            reply.text("arguments");
            write_arguments(&argument.children, reply);
        }
    }
}
