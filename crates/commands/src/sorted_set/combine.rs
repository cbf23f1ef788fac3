//! What several sorted sets have together, in common, or only the first of them has.

use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::sorted_set::Score;
use keyspace::{Database, EventKind, Limits, Object, SortedSet};
use resp::ReplyWriter;

use super::bounds::try_parse_score;
use super::members::{Shown, write_members};
use super::source::Source;
use crate::count_option::cardinality_limit;
use crate::store::store;
use crate::{Command, Error, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

pub(crate) const ZUNION: Command = Command {
    spec: CommandSpec::new(
        "zunion",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns the members that any of several sorted sets has, their scores taken together.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Counted { at: 1, also: None })
    .since("6.2.0")
    .syntax(
        "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]",
    ),
    run: |database, args, reply| answer(database, args, reply, Operation::Union, "zunion"),
};

pub(crate) const ZINTER: Command = Command {
    spec: CommandSpec::new(
        "zinter",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns the members that all of several sorted sets have, their scores taken together.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Counted { at: 1, also: None })
    .since("6.2.0")
    .syntax(
        "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]",
    ),
    run: |database, args, reply| answer(database, args, reply, Operation::Intersection, "zinter"),
};

pub(crate) const ZDIFF: Command = Command {
    spec: CommandSpec::new(
        "zdiff",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Returns the members of the first sorted set that no other has.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Counted { at: 1, also: None })
    .since("6.2.0")
    .syntax("numkeys key [key ...] [WITHSCORES]"),
    run: |database, args, reply| answer(database, args, reply, Operation::Difference, "zdiff"),
};

/// ZUNION, ZINTER, ZDIFF numkeys key [key ...] [WEIGHTS …] [AGGREGATE …] [WITHSCORES]
fn answer(
    database: &mut Database,
    args: Args,
    reply: &mut ReplyWriter,
    operation: Operation,
    name: &str,
) -> Result {
    let mut shown = Shown::Member;
    let result = combine(database, args, operation, name, |args| {
        let is_given = args.keyword("WITHSCORES");
        if is_given {
            shown = Shown::MemberAndScore;
        }
        is_given
    })?;
    write_members(reply, result.iter(), shown);
    Ok(())
}

pub(crate) const ZUNIONSTORE: Command = Command {
    spec: CommandSpec::new(
        "zunionstore",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Stores the members that any of several sorted sets has in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Counted { at: 2, also: Some(1) })
    .key_flags(&["OW update", "RO access"])
    .since("2.0.0")
    .syntax(
        "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]",
    ),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Union, EventKind::ZUNIONSTORE)
    },
};

pub(crate) const ZINTERSTORE: Command = Command {
    spec: CommandSpec::new(
        "zinterstore",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Stores the members that all of several sorted sets have in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Counted { at: 2, also: Some(1) })
    .key_flags(&["OW update", "RO access"])
    .since("2.0.0")
    .syntax(
        "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]",
    ),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Intersection, EventKind::ZINTERSTORE)
    },
};

pub(crate) const ZDIFFSTORE: Command = Command {
    spec: CommandSpec::new(
        "zdiffstore",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Stores the members of the first sorted set that no other has in a key.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Counted { at: 2, also: Some(1) })
    .key_flags(&["OW update", "RO access"])
    .since("6.2.0")
    .syntax("destination numkeys key [key ...]"),
    run: |database, args, reply| {
        keep(database, args, reply, Operation::Difference, EventKind::ZDIFFSTORE)
    },
};

/// ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE destination numkeys key [key ...] [WEIGHTS …] [AGGREGATE …]
fn keep(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    operation: Operation,
    event: EventKind,
) -> Result {
    let destination = args.bytes()?;
    // The events are named as the commands are.
    let result = combine(database, args, operation, event.name, |_| false)?;
    reply.integer(store(database, destination, Object::SortedSet(result), event) as i64);
    Ok(())
}

pub(crate) const ZINTERCARD: Command = Command {
    spec: CommandSpec::new(
        "zintercard",
        Group::SortedSet,
        Arity::AtLeast(3),
        "Counts the members that all of several sorted sets have, up to a limit.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::Counted { at: 1, also: None })
    .since("7.0.0")
    .syntax("numkeys key [key ...] [LIMIT limit]"),
    run: zintercard,
};

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
fn zintercard(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let keys = counted_keys(&mut args, "zintercard")?;

    let mut sources = Source::read_each(database, keys)?;
    let mut limit = usize::MAX;
    while !args.is_empty() {
        if !args.keyword("LIMIT") {
            return Err(Error::Argument(ArgError::Syntax).into());
        }
        limit = cardinality_limit(args.bytes()?)?;
    }
    sources.sort_by_key(Source::len);
    let count = sources.split_first().map_or(0, |(smallest, others)| {
        let in_all =
            |member: &[u8]| others.iter().all(|source: &Source<'_>| source.contains(member));
        smallest.iter().filter(|(member, _)| in_all(member)).take(limit).count()
    });
    reply.integer(count as i64);
    Ok(())
}

/// numkeys key [key ...] [WEIGHTS …] [AGGREGATE …], and what else `takes_own_option` knows: the set that comes of it.
fn combine(
    database: &mut Database,
    mut args: Args,
    operation: Operation,
    name: &str,
    mut takes_own_option: impl FnMut(&mut Args) -> bool,
) -> Result<SortedSet> {
    let keys = counted_keys(&mut args, name)?;

    let limits = database.limits();
    let mut sources = Source::read_each(database, keys)?;
    let mut aggregate = Aggregate::Sum;
    while !args.is_empty() {
        if !takes_own_option(&mut args) {
            parse_option(&mut args, operation, &mut sources, &mut aggregate)?;
        }
    }
    Ok(combined(sources, operation, aggregate, &limits))
}

/// numkeys key [key ...]
fn counted_keys<'a>(args: &mut Args<'a>, command: &str) -> Result<&'a [&'a [u8]]> {
    match usize::try_from(args.integer()?) {
        Ok(count @ 1..) => Ok(args.take(count)?),
        _ => {
            let text = format!("ERR at least 1 input key is needed for '{command}' command");
            Err(Error::Text(text.into()).into())
        }
    }
}

/// WEIGHTS weight [weight ...] | AGGREGATE SUM | MIN | MAX
fn parse_option(
    args: &mut Args,
    operation: Operation,
    sources: &mut [Source<'_>],
    aggregate: &mut Aggregate,
) -> Result {
    let takes_scores_together = operation != Operation::Difference;
    if takes_scores_together && args.len() > sources.len() && args.keyword("WEIGHTS") {
        for source in sources {
            source.weight = try_parse_score(args.bytes()?)
                .ok_or_else(|| Error::text("ERR weight value is not a float"))?;
        }
        return Ok(());
    }
    if takes_scores_together && args.keyword("AGGREGATE") {
        let words = [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)];
        if let Some((_, chosen)) = words.into_iter().find(|(word, _)| args.keyword(word)) {
            *aggregate = chosen;
            return Ok(());
        }
    }
    Err(Error::Argument(ArgError::Syntax).into())
}

/// What becomes of the scores that a member has in several inputs.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn apply(self, one: Score, other: Score) -> Score {
        match self {
            Aggregate::Sum => number(one + other),
            Aggregate::Min => one.min(other),
            Aggregate::Max => one.max(other),
        }
    }
}

/// Infinity less infinity, and infinity times a weight of zero, count as zero.
fn number(score: Score) -> Score {
    if score.is_nan() { 0.0 } else { score }
}

fn combined(
    mut sources: Vec<Source<'_>>,
    operation: Operation,
    aggregate: Aggregate,
    limits: &Limits,
) -> SortedSet {
    if operation != Operation::Difference {
        // Small ones first, as Redis does: where sums are rounded, their order shows.
        sources.sort_by_key(Source::len);
    }
    let mut result = SortedSet::default();
    match (operation, sources.split_first()) {
        (_, None) => {}
        (Operation::Union, _) => {
            for (member, score) in sources.iter().flat_map(Source::iter) {
                let score = number(score);
                let score = result.score(&member).map_or(score, |old| aggregate.apply(old, score));
                result.insert(&member, score, limits);
            }
        }
        (Operation::Intersection, Some((smallest, others))) => {
            for (member, score) in smallest.iter() {
                let score = others.iter().try_fold(number(score), |score, source| {
                    Some(aggregate.apply(score, source.score(&member)?))
                });
                if let Some(score) = score {
                    result.insert(&member, score, limits);
                }
            }
        }
        (Operation::Difference, Some((first, others))) => {
            for (member, score) in first.iter() {
                if !others.iter().any(|source| source.contains(&member)) {
                    result.insert(&member, score, limits);
                }
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run, run_resp3};

    fn after(command: &str) -> Reply {
        run(&format!(
            "ZADD a 1 x 2 y 3 z \n ZADD b 10 y 20 z 30 w \n SADD s x y \n ZADD i inf x \n {command}"
        ))
    }

    fn members(texts: &str) -> Reply {
        Reply::Array(texts.split_whitespace().map(bulk).collect())
    }

    #[test]
    fn scores_are_weighted_and_taken_together() {
        for (command, expected) in [
            ("ZUNION 2 a b WITHSCORES", "x 1 y 12 z 23 w 30"),
            ("ZINTER 2 a b", "y z"),
            ("ZINTER 2 a b WITHSCORES AGGREGATE MAX", "y 10 z 20"),
            ("ZINTER 2 a b WEIGHTS 10 1 AGGREGATE MIN WITHSCORES", "y 10 z 20"),
            ("ZUNION 2 a s WITHSCORES", "x 2 y 3 z 3"),
            ("ZDIFF 2 a s WITHSCORES", "z 3"),
            ("ZDIFF 3 a nosuch b", "x"),
            ("ZINTER 2 a nosuch", ""),
        ] {
            assert_eq!(after(command), members(expected), "{command}");
        }
    }

    #[test]
    fn a_score_that_is_no_number_is_zero() {
        assert_eq!(after("ZUNION 1 i WEIGHTS 0 WITHSCORES"), members("x 0"));
        assert_eq!(after("ZINTER 2 i i WEIGHTS 1 -1 WITHSCORES"), members("x 0"));
    }

    #[test]
    fn in_resp3_members_and_scores_are_pairs() {
        assert_eq!(
            run_resp3("ZADD a 1 x \n ZUNION 1 a WITHSCORES"),
            Reply::Array(vec![Reply::Array(vec![bulk("x"), Reply::Double(1.0)])])
        );
    }

    #[test]
    fn results_take_the_place_of_what_was_there() {
        assert_eq!(after("ZUNIONSTORE a 2 a b"), Reply::Integer(4));
        assert_eq!(after("ZINTERSTORE s 2 a b \n ZRANGE s 0 -1"), members("y z"));
        assert_eq!(after("ZDIFFSTORE a 2 a b \n ZRANGE a 0 -1"), members("x"));
        assert_eq!(after("ZINTERSTORE a 2 a nosuch \n EXISTS a"), Reply::Integer(0));
    }

    #[test]
    fn counting_ends_at_the_limit() {
        assert_eq!(after("ZINTERCARD 2 a b"), Reply::Integer(2));
        assert_eq!(after("ZINTERCARD 2 a b LIMIT 1"), Reply::Integer(1));
        assert_eq!(after("ZINTERCARD 2 a nosuch"), Reply::Integer(0));
        assert_eq!(after("ZINTERCARD 1 a LIMIT -1"), error("ERR LIMIT can't be negative"));
    }

    #[test]
    fn keys_are_counted_and_of_a_type_that_has_members() {
        assert_eq!(
            after("ZUNIONSTORE d 0 a"),
            error("ERR at least 1 input key is needed for 'zunionstore' command")
        );
        assert_eq!(after("ZUNION 3 a b"), error("ERR syntax error"));
        assert_eq!(
            after("SET t text \n ZUNION 1 t NOSUCHOPTION"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
    }

    #[test]
    fn each_command_has_its_own_options() {
        for command in [
            "ZDIFF 1 a WEIGHTS 1",
            "ZUNIONSTORE d 1 a WITHSCORES",
            "ZUNION 2 a b WEIGHTS 1",
            "ZUNION 1 a AGGREGATE AVG",
        ] {
            assert_eq!(after(command), error("ERR syntax error"), "{command}");
        }
        assert_eq!(after("ZUNION 1 a WEIGHTS x"), error("ERR weight value is not a float"));
    }

    #[test]
    fn a_result_is_one_event_and_an_empty_one_a_deletion() {
        assert_eq!(events("ZADD a 1 x \n ZUNIONSTORE d 1 a"), ["zunionstore d"]);
        assert_eq!(events("ZADD a 1 x \n ZINTERSTORE a 2 a nosuch"), ["del a"]);
    }
}
