use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, Set};
use resp::ReplyWriter;

use crate::count_option::SampleSize;
use crate::{Command, Error, Result};

pub(crate) const SRANDMEMBER: Command = Command {
    spec: CommandSpec::new(
        "srandmember",
        Group::Set,
        Arity::AtLeast(2),
        "Returns one or more random members of a set, which keeps them.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .syntax("key [count]"),
    run: srandmember,
};

/// SRANDMEMBER key [count]
fn srandmember(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let size = match args.rest() {
        [] => None,
        [count] => Some(SampleSize::parse(count)?),
        _ => return Err(Error::Argument(ArgError::Syntax).into()),
    };

    let mut random = database.generator();
    let set = database.get::<Set>(key)?;
    match size {
        None => match set.and_then(|set| set.random(&mut || random.draw())) {
            Some(member) => reply.bulk(&member),
            None => reply.null(),
        },
        Some(size) => match set {
            Some(set) => write_sample(reply, set, size, &mut || random.draw()),
            None => reply.array(0),
        },
    }
    Ok(())
}

fn write_sample(
    reply: &mut ReplyWriter,
    set: &Set,
    size: SampleSize,
    random: &mut dyn FnMut() -> u64,
) {
    match size {
        SampleSize::Repeated(count) => {
            reply.array(count);
            for _ in 0..count {
                reply.bulk(&set.random(random).expect("a stored set has members"));
            }
        }
        SampleSize::Distinct(count) if count >= set.len() => {
            reply.array(set.len());
            set.iter().for_each(|member| reply.bulk(&member));
        }
        SampleSize::Distinct(count) => {
            reply.array(count);
            set.random_distinct(count, random).iter().for_each(|member| reply.bulk(member));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use resp::Reply;

    use crate::testing::{bulk, error, run};

    fn texts(reply: Reply) -> Vec<Vec<u8>> {
        let Reply::Array(items) = reply else { panic!("{reply:?} is no array") };
        let text = |item| match item {
            Reply::Bulk(text) => text,
            other => panic!("{other:?} is no string"),
        };
        items.into_iter().map(text).collect()
    }

    #[test]
    fn a_positive_count_never_repeats_and_a_negative_one_may() {
        let few: BTreeSet<_> =
            texts(run("SADD s a b c d \n SRANDMEMBER s 3")).into_iter().collect();
        assert_eq!(few.len(), 3);
        assert_eq!(texts(run("SADD s a b c d \n SRANDMEMBER s 9")).len(), 4);
        assert_eq!(texts(run("SADD s a \n SRANDMEMBER s -9")), vec![b"a".to_vec(); 9]);
    }

    #[test]
    fn without_a_count_it_is_one_member_or_none() {
        assert_eq!(run("SADD s a \n SRANDMEMBER s"), bulk("a"));
        assert_eq!(run("SRANDMEMBER nosuch"), Reply::Null);
        assert_eq!(run("SRANDMEMBER nosuch 2"), Reply::Array(vec![]));
        assert_eq!(run("SRANDMEMBER s 1 2"), error("ERR syntax error"));
    }
}
