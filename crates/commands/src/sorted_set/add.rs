use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::sorted_set::{Insertion, Score};
use keyspace::{Database, EventKind, Limits, SortedSet};
use resp::ReplyWriter;

use super::bounds::parse_score;
use crate::error::fail;
use crate::{Command, Error, Result};

pub(crate) const ZADD: Command = Command {
    spec: CommandSpec::new(
        "zadd",
        Group::SortedSet,
        Arity::AtLeast(4),
        "Adds members to a sorted set or changes their scores; the set is created if the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First).key_flags(&["RW update"])
    .since("1.2.0")
    .syntax("key [NX|XX] [GT|LT] [CH] [INCR] <score member> ..."),
    run: zadd,
};

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
fn zadd(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let options = Options::parse(&mut args);
    let pairs = args.rest();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::Argument(ArgError::Syntax).into());
    }
    options.check()?;
    if options.increments {
        let [score, member] = pairs else {
            return fail("ERR INCR option supports a single increment-element pair");
        };
        return increment(database, key, parse_score(score)?, member, options, reply);
    }
    // Every score is read before any is stored. One pair, which is most common, takes no memory for it.
    let first = parse_score(pairs[0])?;
    let others: Vec<Score> =
        pairs.iter().skip(2).step_by(2).map(|score| parse_score(score)).collect::<Result<_>>()?;
    let scores = std::iter::once(first).chain(others);
    let members = pairs.iter().skip(1).step_by(2);

    let limits = database.limits();
    let Some(set) = target(database, key, options)? else {
        reply.integer(0);
        return Ok(());
    };
    let (mut added, mut updated) = (0, 0);
    for (member, score) in members.zip(scores) {
        match options.insert(set, member, score, &limits) {
            Some(Insertion::Added) => added += 1,
            Some(Insertion::Updated) => updated += 1,
            Some(Insertion::Unchanged) | None => {}
        }
    }
    if added + updated > 0 {
        database.changed(EventKind::ZADD, key);
    }
    reply.integer(if options.counts_changes { added + updated } else { added });
    Ok(())
}

pub(crate) const ZINCRBY: Command = Command {
    spec: CommandSpec::new(
        "zincrby",
        Group::SortedSet,
        Arity::Exactly(4),
        "Adds to the score of a member, which starts from zero if the sorted set doesn't have it.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM).and(Flags::FAST))
    .keys(Keys::First)
    .since("1.2.0")
    .syntax("key increment-float member"),
    run: zincrby,
};

/// ZINCRBY key increment member
fn zincrby(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let by = parse_score(args.bytes()?)?;
    let member = args.bytes()?;

    increment(database, key, by, member, Options::default(), reply)
}

/// Answers with the new score, or with null if the options forbid it.
fn increment(
    database: &mut Database,
    key: &[u8],
    by: Score,
    member: &[u8],
    options: Options,
    reply: &mut ReplyWriter,
) -> Result {
    let limits = database.limits();
    let Some(set) = target(database, key, options)? else {
        reply.null();
        return Ok(());
    };
    let old = set.score(member);
    let score = old.map_or(by, |old| old + by);
    if score.is_nan() {
        return fail("ERR resulting score is not a number (NaN)");
    }
    if !options.allow(old, score) {
        reply.null();
        return Ok(());
    }
    if set.insert(member, score, &limits) != Insertion::Unchanged {
        database.changed(EventKind::ZINCR, key);
    }
    reply.double(score);
    Ok(())
}

/// The set to change. One that isn't there is only made if something will be added to it.
fn target<'a>(
    database: &'a mut Database,
    key: &[u8],
    options: Options,
) -> Result<Option<&'a mut SortedSet>> {
    if options.presence == Presence::Present {
        return Ok(database.get_mut(key)?);
    }
    Ok(Some(database.get_or_insert(key)?))
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Any,
    Absent,
    Present,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Comparison {
    #[default]
    Any,
    Greater,
    Less,
}

#[derive(Clone, Copy, Default)]
struct Options {
    presence: Presence,
    comparison: Comparison,
    /// NX with XX, or GT with LT: told apart, because each pair has a text of its own.
    presence_conflicts: bool,
    comparison_conflicts: bool,
    counts_changes: bool,
    increments: bool,
}

impl Options {
    fn parse(args: &mut Args) -> Self {
        let mut options = Options::default();
        loop {
            if args.keyword("NX") {
                options.presence_conflicts |= options.presence == Presence::Present;
                options.presence = Presence::Absent;
            } else if args.keyword("XX") {
                options.presence_conflicts |= options.presence == Presence::Absent;
                options.presence = Presence::Present;
            } else if args.keyword("GT") {
                options.comparison_conflicts |= options.comparison == Comparison::Less;
                options.comparison = Comparison::Greater;
            } else if args.keyword("LT") {
                options.comparison_conflicts |= options.comparison == Comparison::Greater;
                options.comparison = Comparison::Less;
            } else if args.keyword("CH") {
                options.counts_changes = true;
            } else if args.keyword("INCR") {
                options.increments = true;
            } else {
                return options;
            }
        }
    }

    fn check(self) -> Result {
        if self.presence_conflicts {
            return fail("ERR XX and NX options at the same time are not compatible");
        }
        let compares_what_is_absent =
            self.presence == Presence::Absent && self.comparison != Comparison::Any;
        if self.comparison_conflicts || compares_what_is_absent {
            return fail("ERR GT, LT, and/or NX options at the same time are not compatible");
        }
        Ok(())
    }

    fn are_none(self) -> bool {
        self.presence == Presence::Any && self.comparison == Comparison::Any
    }

    /// `None`: the options forbid it.
    #[inline]
    fn insert(
        self,
        set: &mut SortedSet,
        member: &[u8],
        score: Score,
        limits: &Limits,
    ) -> Option<Insertion> {
        if !self.are_none() && !self.allow(set.score(member), score) {
            return None;
        }
        Some(set.insert(member, score, limits))
    }

    fn allow(self, old: Option<Score>, new: Score) -> bool {
        match old {
            None => self.presence != Presence::Present,
            Some(_) if self.presence == Presence::Absent => false,
            Some(old) => match self.comparison {
                Comparison::Any => true,
                Comparison::Greater => new > old,
                Comparison::Less => new < old,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run, run_resp3};

    #[test]
    fn added_members_count_and_with_ch_changed_ones_too() {
        assert_eq!(run("ZADD z 1 a 2 b"), Reply::Integer(2));
        assert_eq!(run("ZADD z 1 a 2 b \n ZADD z 1 a 3 b 4 c"), Reply::Integer(1));
        assert_eq!(run("ZADD z 1 a 2 b \n ZADD z CH 1 a 3 b 4 c"), Reply::Integer(2));
    }

    #[test]
    fn nx_only_adds_and_xx_only_changes() {
        assert_eq!(run("ZADD z 1 a \n ZADD z NX 2 a 2 b \n ZSCORE z a"), bulk("1"));
        assert_eq!(run("ZADD z 1 a \n ZADD z XX 2 a 2 b \n ZCARD z"), Reply::Integer(1));
        assert_eq!(run("ZADD z XX 1 a"), Reply::Integer(0));
        assert_eq!(run("ZADD z XX 1 a \n EXISTS z"), Reply::Integer(0));
    }

    #[test]
    fn gt_and_lt_change_in_one_direction_and_still_add() {
        assert_eq!(run("ZADD z 5 a \n ZADD z GT CH 4 a 1 b"), Reply::Integer(1));
        assert_eq!(run("ZADD z 5 a \n ZADD z LT 4 a \n ZSCORE z a"), bulk("4"));
    }

    #[test]
    fn incr_answers_with_the_score_or_with_null() {
        assert_eq!(run("ZADD z 1 a \n ZADD z INCR 2 a"), bulk("3"));
        assert_eq!(run("ZADD z 1 a \n ZADD z NX INCR 2 a"), Reply::Null);
        assert_eq!(run("ZADD z XX INCR 2 a"), Reply::Null);
        assert_eq!(run("ZADD z 1 a \n ZADD z GT INCR -2 a"), Reply::Null);
        assert_eq!(run_resp3("ZINCRBY z 2.5 a"), Reply::Double(2.5));
        assert_eq!(
            run("ZADD z inf a \n ZINCRBY z -inf a"),
            error("ERR resulting score is not a number (NaN)")
        );
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let presence = error("ERR XX and NX options at the same time are not compatible");
        let order = error("ERR GT, LT, and/or NX options at the same time are not compatible");
        assert_eq!(run("ZADD z NX XX 1 a"), presence);
        assert_eq!(run("ZADD z XX NX GT LT 1 a"), presence);
        assert_eq!(run("ZADD z GT LT 1 a"), order);
        assert_eq!(run("ZADD z NX GT 1 a"), order);
        assert_eq!(
            run("ZADD z INCR 1 a 2 b"),
            error("ERR INCR option supports a single increment-element pair")
        );
    }

    #[test]
    fn nothing_is_stored_if_any_score_is_no_score() {
        assert_eq!(run("ZADD z 1 a x b"), error("ERR value is not a valid float"));
        assert_eq!(run("ZADD z 1 a x b \n EXISTS z"), Reply::Integer(0));
        assert_eq!(run("ZADD z 1 a 2"), error("ERR syntax error"));
    }

    #[test]
    fn only_a_change_is_an_event() {
        assert_eq!(events("ZADD z 1 a"), ["zadd z"]);
        assert_eq!(events("ZINCRBY z 1 a"), ["zincr z"]);
        assert!(events("ZADD z 1 a \n ZADD z 1 a").is_empty());
        assert!(events("ZADD z 1 a \n ZINCRBY z 0 a").is_empty());
    }
}
