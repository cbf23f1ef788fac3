//! Commands that act on more than a database, group by group.

mod connection;
mod help;
mod pubsub;
pub(crate) mod server;
mod transactions;

pub(crate) use connection::apply_reply_mode;
pub(crate) use help::write_help;
pub(crate) use pubsub::forget_subscriptions;

use crate::state::ServerCommand;

pub(crate) fn all() -> Vec<&'static ServerCommand> {
    [connection::COMMANDS, pubsub::COMMANDS, server::COMMANDS, transactions::COMMANDS].concat()
}

/// Ends a command with an error line.
pub(crate) fn fail<T>(text: &'static str) -> commands::Result<T> {
    Err(commands::Error::text(text).into())
}

/// Ends a subcommand that has arguments which it cannot have.
pub(crate) fn wrong_usage<T>(subcommand: &str, container: &str) -> commands::Result<T> {
    let text = format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."
    );
    Err(commands::Error::Text(text.into()).into())
}

pub(crate) fn syntax_error<T>() -> commands::Result<T> {
    Err(command_spec::ArgError::Syntax.into())
}
