use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, Stream};
use resp::ReplyWriter;

use super::trim_option::TrimOptions;
use crate::{Command, Error, Result};

pub(crate) const XTRIM: Command = Command {
    spec: CommandSpec::new(
        "xtrim",
        Group::Stream,
        Arity::AtLeast(4),
        "Removes the oldest entries of a stream, down to a length or up to an id.",
    )
    .flags(Flags::WRITE)
    .keys(Keys::First)
    .key_flags(&["RW delete"])
    .since("5.0.0")
    .syntax("key <MAXLEN|MINID> [=|~] threshold [LIMIT count]"),
    run: xtrim,
};

/// XTRIM key <MAXLEN|MINID> [=|~] threshold [LIMIT count]
fn xtrim(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let mut options = TrimOptions::default();
    while !args.is_empty() {
        if !options.parse_one(&mut args)? {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
    }
    let (trim, precision) = options.finish_required(database.stream_limits())?;

    let trimmed = match database.get_mut::<Stream>(key)? {
        Some(stream) => stream.log.trim(trim, precision),
        None => 0,
    };
    if trimmed > 0 {
        database.changed(EventKind::XTRIM, key);
    }
    reply.integer(trimmed as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{error, run};

    const THREE: &str = "XADD s 1 a 1 \n XADD s 2 a 1 \n XADD s 3 a 1 \n";

    #[test]
    fn the_oldest_entries_go() {
        assert_eq!(run(&format!("{THREE} XTRIM s MAXLEN 1")), Reply::Integer(2));
        assert_eq!(run(&format!("{THREE} XTRIM s MINID = 3")), Reply::Integer(2));
        assert_eq!(run("XTRIM nosuch MAXLEN 0"), Reply::Integer(0));
    }

    #[test]
    fn an_approximate_trim_spares_a_block_that_is_not_full() {
        assert_eq!(run(&format!("{THREE} XTRIM s MAXLEN ~ 1")), Reply::Integer(0));
        assert_eq!(run(&format!("{THREE} XTRIM s MAXLEN ~ 0 LIMIT 2")), Reply::Integer(0));
        assert_eq!(run(&format!("{THREE} XTRIM s MAXLEN ~ 0 LIMIT 3")), Reply::Integer(3));
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        for (options, text) in [
            ("FOO 5", "ERR syntax error"),
            ("LIMIT 0", "ERR syntax error, XTRIM must be called with a trimming strategy"),
            (
                "LIMIT 5",
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ),
            (
                "MAXLEN 5 LIMIT 1",
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ),
            (
                "MAXLEN 5 MINID 1",
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ),
            ("MAXLEN -1", "ERR The MAXLEN argument must be >= 0."),
            ("MAXLEN ~ 5 LIMIT -1", "ERR The LIMIT argument must be >= 0."),
        ] {
            assert_eq!(run(&format!("XTRIM s {options}")), error(text), "{options}");
        }
    }
}
