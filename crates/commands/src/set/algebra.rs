//! What sets have in common, what they have together, and what sets one apart from others.

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::set::{Member, difference, intersection};
use keyspace::{Database, EventKind, Limits, Object, Set};
use resp::ReplyWriter;

use super::members::write_members;
use super::sources::sources;
use crate::store::store;
use crate::{Command, Result};

#[derive(Clone, Copy)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

pub(crate) const SINTER: Command = Command {
    spec: CommandSpec::new(
        "sinter",
        Group::Set,
        Arity::AtLeast(2),
        "Returns the members that all of several sets have.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::ALL)
    .syntax("key [key ...]"),
    run: |database, args, reply| answer(database, args, reply, Operation::Intersection),
};

pub(crate) const SUNION: Command = Command {
    spec: CommandSpec::new(
        "sunion",
        Group::Set,
        Arity::AtLeast(2),
        "Returns the members that any of several sets has.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::ALL)
    .syntax("key [key ...]"),
    run: |database, args, reply| answer(database, args, reply, Operation::Union),
};

pub(crate) const SDIFF: Command = Command {
    spec: CommandSpec::new(
        "sdiff",
        Group::Set,
        Arity::AtLeast(2),
        "Returns the members of the first set that no other set has.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::ALL)
    .syntax("key [key ...]"),
    run: |database, args, reply| answer(database, args, reply, Operation::Difference),
};

/// SINTER, SUNION, SDIFF key [key ...]
fn answer(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    operation: Operation,
) -> Result {
    let keys = args.rest();

    let limits = database.limits();
    let sets = sources(database, keys)?;
    if let Operation::Union = operation {
        // Members that come twice must be told apart, which takes a set.
        write_members(reply, &result(&sets, operation, &limits));
        return Ok(());
    }
    let mark = reply.begin();
    let mut count = 0;
    for_each_member(&sets, operation, |member| {
        reply.bulk(&member);
        count += 1;
    });
    reply.end_set(mark, count);
    Ok(())
}

pub(crate) const SINTERSTORE: Command = Command {
    spec: CommandSpec::new(
        "sinterstore",
        Group::Set,
        Arity::AtLeast(3),
        "Stores the members that all of several sets have in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::ALL)
    .key_flags(&["RW update", "RO access"])
    .syntax("destination key [key ...]"),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Intersection, EventKind::SINTERSTORE)
    },
};

pub(crate) const SUNIONSTORE: Command = Command {
    spec: CommandSpec::new(
        "sunionstore",
        Group::Set,
        Arity::AtLeast(3),
        "Stores the members that any of several sets has in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::ALL)
    .key_flags(&["OW update", "RO access"])
    .syntax("destination key [key ...]"),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Union, EventKind::SUNIONSTORE)
    },
};

pub(crate) const SDIFFSTORE: Command = Command {
    spec: CommandSpec::new(
        "sdiffstore",
        Group::Set,
        Arity::AtLeast(3),
        "Stores the members of the first set that no other set has in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::ALL)
    .key_flags(&["OW update", "RO access"])
    .syntax("destination key [key ...]"),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Difference, EventKind::SDIFFSTORE)
    },
};

/// SINTERSTORE, SUNIONSTORE, SDIFFSTORE destination key [key ...]
fn keep(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    operation: Operation,
    event: EventKind,
) -> Result {
    let destination = args.bytes()?;
    let keys = args.rest();

    let limits = database.limits();
    let result = result(&sources(database, keys)?, operation, &limits);
    reply.integer(store(database, destination, Object::Set(result), event) as i64);
    Ok(())
}

fn result(sets: &[Option<&Set>], operation: Operation, limits: &Limits) -> Set {
    let mut result = Set::default();
    for_each_member(sets, operation, |member| {
        result.add(&member, limits);
    });
    result
}

/// Visits the members of the result; those of a union as often as a set has them.
fn for_each_member<'a>(
    sets: &[Option<&'a Set>],
    operation: Operation,
    visit: impl FnMut(Member<'a>),
) {
    match operation {
        Operation::Union => sets.iter().copied().flatten().flat_map(Set::iter).for_each(visit),
        Operation::Intersection => {
            // Where a key is missing, nothing is common to all.
            if let Some(sets) = sets.iter().copied().collect::<Option<Vec<_>>>() {
                intersection(&sets).for_each(visit);
            }
        }
        Operation::Difference => {
            if let Some((Some(first), others)) = sets.split_first() {
                let others: Vec<&Set> = others.iter().copied().flatten().collect();
                difference(first, &others).for_each(visit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run, run_resp3};

    const SETS: &str = "SADD a 1 2 3 \n SADD b 2 3 4 \n SADD c 3 \n";

    fn after(command: &str) -> Reply {
        run(&format!("{SETS}{command}"))
    }

    fn members(texts: &[&str]) -> Reply {
        Reply::Array(texts.iter().map(|text| bulk(text)).collect())
    }

    #[test]
    fn sets_are_combined_as_sets_are() {
        assert_eq!(after("SINTER a b"), members(&["2", "3"]));
        assert_eq!(after("SUNION a b c"), members(&["1", "2", "3", "4"]));
        assert_eq!(after("SDIFF a b c"), members(&["1"]));
        assert_eq!(run_resp3(&format!("{SETS}SINTER c a")), Reply::Set(vec![bulk("3")]));
    }

    #[test]
    fn a_missing_key_is_an_empty_set() {
        assert_eq!(after("SINTER a nosuch"), members(&[]));
        assert_eq!(after("SUNION c nosuch"), members(&["3"]));
        assert_eq!(after("SDIFF a nosuch"), members(&["1", "2", "3"]));
        assert_eq!(after("SDIFF nosuch a"), members(&[]));
    }

    #[test]
    fn a_result_may_take_the_place_of_its_source() {
        assert_eq!(after("SINTERSTORE a a b \n SMEMBERS a"), members(&["2", "3"]));
        assert_eq!(after("SUNIONSTORE d a b"), Reply::Integer(4));
        assert_eq!(after("SET d text \n SDIFFSTORE d a b \n SMEMBERS d"), members(&["1"]));
    }

    #[test]
    fn an_empty_result_removes_the_destination() {
        assert_eq!(after("SINTERSTORE a a nosuch"), Reply::Integer(0));
        assert_eq!(after("SINTERSTORE a a nosuch \n EXISTS a"), Reply::Integer(0));
    }

    #[test]
    fn every_key_must_be_a_set() {
        assert_eq!(
            after("SET t text \n SINTER nosuch t"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
    }

    #[test]
    fn a_result_is_one_event_and_an_empty_one_a_deletion() {
        assert_eq!(events(&format!("{SETS}SINTERSTORE d a b")), ["sinterstore d"]);
        assert_eq!(events(&format!("{SETS}SINTERSTORE c a nosuch")), ["del c"]);
        assert!(events(&format!("{SETS}SINTERSTORE d a nosuch")).is_empty());
    }
}
