use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::list::End;
use keyspace::{Database, List};
use resp::ReplyWriter;

use super::end::{pop_event, pop_into};
use crate::timeout::parse_timeout;
use crate::{Command, Result, Wait};

const FLAGS: Flags = Flags::WRITE.and(Flags::NO_SCRIPT).and(Flags::BLOCKING);

pub(crate) const BLPOP: Command = Command {
    spec: CommandSpec::new(
        "blpop",
        Group::List,
        Arity::AtLeast(3),
        "Removes and returns the first element of the first of several lists that has any. Waits until one has.",
    )
    .flags(FLAGS)
    .keys(Keys::Range { first: 1, last: -2, step: 1 }).key_flags(&["RW access delete"])
    .since("2.0.0")
    .syntax("key [key ...] timeout"),
    run: |database, args, reply| blocking_pop(database, args, reply, End::Front),
};

pub(crate) const BRPOP: Command = Command {
    spec: CommandSpec::new(
        "brpop",
        Group::List,
        Arity::AtLeast(3),
        "Removes and returns the last element of the first of several lists that has any. Waits until one has.",
    )
    .flags(FLAGS)
    .keys(Keys::Range { first: 1, last: -2, step: 1 }).key_flags(&["RW access delete"])
    .since("2.0.0")
    .syntax("key [key ...] timeout"),
    run: |database, args, reply| blocking_pop(database, args, reply, End::Back),
};

fn blocking_pop(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    end: End,
) -> Result {
    let deadline_ms = parse_timeout(args.last()?, database.now_ms())?;
    let keys = args.rest();

    for key in keys {
        let Some(list) = database.get_mut::<List>(key)? else { continue };
        reply.array(2);
        reply.bulk(key);
        pop_into(list, end, 1, reply);
        database.changed(pop_event(end), key);
        return Ok(());
    }
    Err(Wait::for_array(keys, deadline_ms).into())
}

#[cfg(test)]
mod tests {
    use command_spec::Args;
    use keyspace::{Keyspace, Options};
    use resp::{Protocol, Reply, ReplyWriter};

    use super::BLPOP;
    use crate::Wait;
    use crate::testing::{NOW_MS, bulk, error, run};

    #[test]
    fn what_is_there_is_given_at_once() {
        assert_eq!(run("RPUSH b 1 2 \n BRPOP a b 0"), Reply::Array(vec![bulk("b"), bulk("2")]));
        assert_eq!(run("RPUSH b 1 \n BLPOP a b 0 \n EXISTS b"), Reply::Integer(0));
        assert_eq!(
            run("SET a x \n RPUSH b 1 \n BLPOP a b 0"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
        assert_eq!(run("BLPOP l -1"), error("ERR timeout is negative"));
    }

    #[test]
    fn with_nothing_to_give_all_keys_are_waited_for() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 7 });
        keyspace.set_now(NOW_MS);
        let mut out = Vec::new();
        let result = (BLPOP.run)(
            &mut keyspace.database(0),
            Args::new(&[b"a", b"b", b"0.5"]),
            &mut ReplyWriter::new(&mut out, Protocol::Resp2),
        );
        let wait = Wait::for_array(&[b"a", b"b"], Some(NOW_MS + 500));
        assert_eq!(result, Err(wait.into()));
    }
}
