use resp::ReplyWriter;

use crate::command_table::CommandTable;

/// HELP of a command with subcommands: each as it is written, and below it what it does.
pub(crate) fn write_help(table: &CommandTable, entry: usize, reply: &mut ReplyWriter) {
    let (container, _) =
        table.entry(entry).spec.name.split_once('|').expect("HELP is a subcommand");
    let mut lines = vec![format!("{} takes one of these subcommands:", container.to_uppercase())];
    for subcommand in table.subcommands(container) {
        let spec = &subcommand.spec;
        let (_, name) = spec.name.split_once('|').expect("it is a subcommand");
        lines.push(format!("{} {}", name.to_uppercase(), spec.syntax).trim_end().to_owned());
        lines.push(format!("    {}", spec.summary));
    }
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.simple(line));
}
