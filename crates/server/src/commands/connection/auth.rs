use command_spec::{Args, Arity, CommandSpec, Group};
use commands::Result;
use resp::ReplyWriter;

use super::HANDSHAKE;
use crate::client::Slot;
use crate::commands::{fail, syntax_error};
use crate::state::{ServerCommand, State};

pub(crate) const AUTH: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "auth",
        Group::Connection,
        Arity::AtLeast(2),
        "Authenticates the connection.",
    )
    .flags(HANDSHAKE)
    .syntax("[username] password"),
    run: auth,
};

/// AUTH [username] password
fn auth(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let (user, password): (&[u8], &[u8]) = match args.len() {
        1 => {
            if state.settings.password.is_none() {
                return fail(
                    "ERR AUTH <password> called without any password configured for the default user. \
                     Are you sure your configuration is correct?",
                );
            }
            (b"default", args.bytes()?)
        }
        2 => (args.bytes()?, args.bytes()?),
        _ => return syntax_error(),
    };

    authenticate(state, slot, user, password)?;
    reply.ok();
    Ok(())
}

/// There is one user, `default`, with the password of `requirepass`; without one, any password is right.
pub(super) fn authenticate(state: &mut State, slot: Slot, user: &[u8], password: &[u8]) -> Result {
    let known =
        state.settings.password.as_ref().is_none_or(|expected| is_same_secret(expected, password));
    if user != b"default" || !known {
        return fail("WRONGPASS invalid username-password pair or user is disabled.");
    }
    state.clients[slot].authenticated = true;
    Ok(())
}

/// Compares in a time that tells nothing about where two secrets differ.
fn is_same_secret(expected: &[u8], given: &[u8]) -> bool {
    let mut difference = expected.len() ^ given.len();
    for (index, byte) in given.iter().enumerate() {
        difference |= usize::from(byte ^ expected.get(index).copied().unwrap_or(0));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::is_same_secret;

    #[test]
    fn secrets_are_the_same_only_byte_for_byte() {
        assert!(is_same_secret(b"secret", b"secret"));
        for given in [&b"secre"[..], b"secrets", b"Secret", b"", b"secret\0"] {
            assert!(!is_same_secret(b"secret", given));
        }
    }
}
