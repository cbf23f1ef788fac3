//! ACL, as far as there is something to tell: the one user is `default`, who may do everything.

use command_spec::{ACL_CATEGORIES, Args, Arity, CommandSpec, Flags, Group};
use commands::{Error, Result};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::wrong_usage;
use crate::state::{ServerCommand, State};

const FLAGS: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE);
const USER: &str = "default";
const COMMANDS: &str = "+@all";
const KEYS: &str = "~*";
const CHANNELS: &str = "&*";
/// That there is a password is told, and nothing of it.
const REDACTED: &str = "(redacted)";

const fn spec(name: &'static str, arity: Arity, summary: &'static str) -> CommandSpec {
    CommandSpec::new(name, Group::Server, arity, summary).flags(FLAGS).since("6.0.0")
}

pub(crate) const WHOAMI: ServerCommand = ServerCommand {
    spec: spec(
        "acl|whoami",
        Arity::Exactly(2),
        "Returns the authenticated username of the current connection.",
    ),
    run: |_state, _slot, _args, reply| {
        reply.text(USER);
        Ok(())
    },
};

pub(crate) const USERS: ServerCommand = ServerCommand {
    spec: spec("acl|users", Arity::Exactly(2), "Lists all ACL users.").flags(Flags::ADMIN),
    run: |_state, _slot, _args, reply| {
        reply.array(1);
        reply.text(USER);
        Ok(())
    },
};

pub(crate) const LIST: ServerCommand = ServerCommand {
    spec: spec("acl|list", Arity::Exactly(2), "Dumps the effective rules in ACL file format.")
        .flags(Flags::ADMIN),
    run: |state, _slot, _args, reply| {
        let password = if has_password(state) { REDACTED } else { "nopass" };
        reply.array(1);
        reply.text(&format!("user {USER} on {password} {KEYS} {CHANNELS} {COMMANDS}"));
        Ok(())
    },
};

pub(crate) const GETUSER: ServerCommand = ServerCommand {
    spec: spec("acl|getuser", Arity::Exactly(3), "Lists the ACL rules of a user.")
        .flags(Flags::ADMIN)
        .syntax("username"),
    run: getuser,
};

/// ACL GETUSER username
fn getuser(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.bytes()? != USER.as_bytes() {
        reply.null();
        return Ok(());
    }
    let has_password = has_password(state);
    reply.map(6);
    reply.text("flags");
    let flags: &[&str] = if has_password { &["on"] } else { &["on", "nopass"] };
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.text(flag));
    reply.text("passwords");
    reply.array(usize::from(has_password));
    if has_password {
        reply.text(REDACTED);
    }
    for (field, rule) in [("commands", COMMANDS), ("keys", KEYS), ("channels", CHANNELS)] {
        reply.text(field);
        reply.text(rule);
    }
    reply.text("selectors");
    reply.array(0);
    Ok(())
}

fn has_password(state: &State) -> bool {
    state.settings.password.is_some()
}

pub(crate) const CAT: ServerCommand = ServerCommand {
    spec: spec(
        "acl|cat",
        Arity::AtLeast(2),
        "Lists the ACL categories, or the commands inside a category.",
    )
    .syntax("[category]"),
    run: cat,
};

/// ACL CAT [category]
fn cat(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if args.is_empty() {
        reply.array(ACL_CATEGORIES.len());
        ACL_CATEGORIES.iter().for_each(|category| reply.text(&category[1..]));
        return Ok(());
    }
    let name = args.bytes()?;
    if !args.is_empty() {
        return wrong_usage("CAT", "ACL");
    }
    let known = |category: &&&str| category.as_bytes()[1..].eq_ignore_ascii_case(name);
    let Some(category) = ACL_CATEGORIES.iter().find(known) else {
        let text = format!("ERR Unknown category '{}'", String::from_utf8_lossy(name));
        return Err(Error::Text(text.into()).into());
    };
    let names: Vec<&str> = state
        .table
        .entries()
        .iter()
        .filter(|entry| entry.spec.acl_categories().contains(category))
        .map(|entry| entry.spec.name)
        .collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.text(name));
    Ok(())
}
