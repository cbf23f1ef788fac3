//! Data commands: one file an idea, one folder a group, one list a folder.
//!
//! A command reads its arguments, acts on a database and writes its reply. It knows no client, no socket, no clock but
//! the database's and no randomness but what it is handed.

mod big_integer;
mod bitmap;
mod command;
mod count_option;
mod decimal;
mod error;
mod expire_option;
mod extended;
mod generic;
mod geo;
pub mod glob;
mod hash;
mod hyperloglog;
mod list;
mod remove;
mod reply;
mod scan_option;
mod scan_page;
mod set;
mod sorted_set;
mod store;
mod stream;
mod string;
#[cfg(test)]
mod testing;
mod timeout;

pub use command::{Absence, Command, Wait};
pub use error::{Error, Halt, Result};

/// Every data command, group by group.
pub fn all() -> impl Iterator<Item = &'static Command> {
    [
        bitmap::COMMANDS,
        generic::COMMANDS,
        geo::COMMANDS,
        hash::COMMANDS,
        hyperloglog::COMMANDS,
        list::COMMANDS,
        set::COMMANDS,
        sorted_set::COMMANDS,
        stream::COMMANDS,
        string::COMMANDS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    use command_spec::{Arity, Flags, Keys, parse_syntax};

    use super::all;

    #[test]
    fn names_are_unique_and_lower_case() {
        let mut names: Vec<&str> = all().map(|command| command.spec.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| !name.bytes().any(|byte| byte.is_ascii_uppercase())));
    }

    #[test]
    fn every_syntax_line_is_well_formed_and_names_the_keys() {
        for command in all() {
            let spec = command.spec;
            parse_syntax(spec.syntax);
            assert!(!spec.summary.is_empty() && spec.summary.ends_with('.'), "{}", spec.name);
            let words = match spec.arity {
                Arity::Exactly(words) | Arity::AtLeast(words) => words,
            };
            if let Keys::Range { first, .. } = spec.keys {
                assert!(first < words, "{}", spec.name);
            }
            if spec.keys == Keys::First {
                assert!(words >= 2, "{}", spec.name);
            }
        }
    }

    #[test]
    fn a_command_reads_or_writes() {
        for command in all() {
            let flags = command.spec.flags;
            assert!(
                !(flags.contains(Flags::WRITE) && flags.contains(Flags::READONLY)),
                "{} cannot do both",
                command.spec.name
            );
        }
    }
}
