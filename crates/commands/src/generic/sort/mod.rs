//! SORT: elements of a list, a set or a sorted set, in an order that other keys may give, shown as what other keys hold.

mod element;
mod options;
mod pattern;

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::value::ValueType;
use keyspace::{Database, EventKind, Expiry, List};
use resp::ReplyWriter;

use self::options::{Order, Sort};
use self::pattern::Pattern;
use crate::{Command, Result};

pub(crate) const SORT: Command = Command {
    spec: CommandSpec::new(
        "sort",
        Group::Generic,
        Arity::AtLeast(2),
        "Sorts the elements of a list, a set or a sorted set, and returns or stores them.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .categories(&["@set", "@sortedset", "@list", "@dangerous"])
    .keys(Keys::FirstAndStore)
    .key_flags(&["RO access", "OW update"])
    .syntax(
        "key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] \
         [STORE destination]",
    ),
    run: sort,
};

pub(crate) const SORT_RO: Command = Command {
    spec: CommandSpec::new(
        "sort_ro",
        Group::Generic,
        Arity::AtLeast(2),
        "Returns the sorted elements of a list, a set or a sorted set.",
    )
    .flags(Flags::READONLY.and(Flags::MOVABLE_KEYS))
    .categories(&["@set", "@sortedset", "@list", "@dangerous"])
    .keys(Keys::First)
    .since("7.0.0")
    .syntax("key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA]"),
    run: sort_ro,
};

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination]
fn sort(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let sort = Sort::parse(args)?;

    match sort.destination {
        Some(destination) => store(database, key, &sort, destination, reply),
        None => answer(database, key, &sort, reply),
    }
}

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA]
fn sort_ro(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let sort = Sort::parse_read_only(args)?;

    answer(database, key, &sort, reply)
}

fn answer(database: &mut Database, key: &[u8], sort: &Sort, reply: &mut ReplyWriter) -> Result {
    let elements = sorted(database, key, sort)?;
    reply.array(elements.len() * sort.shown.len().max(1));
    show(database, sort, &elements, |value| reply.bulk_or_null(value));
    Ok(())
}

fn store(
    database: &mut Database,
    key: &[u8],
    sort: &Sort,
    destination: &[u8],
    reply: &mut ReplyWriter,
) -> Result {
    let elements = sorted(database, key, sort)?;
    let limits = database.limits();
    let mut list = List::default();
    // A list has no place for what is absent.
    show(database, sort, &elements, |value| list.push_back(value.unwrap_or(b""), &limits));
    let length = list.len();
    if length > 0 {
        database.insert(destination, list.into_object(), Expiry::Clear);
        database.changed(EventKind::SORTSTORE, destination);
    } else {
        database.delete(destination);
    }
    reply.integer(length as i64);
    Ok(())
}

fn sorted(database: &mut Database, key: &[u8], sort: &Sort) -> Result<Vec<Box<[u8]>>> {
    match sort.order {
        Order::AsStored => element::in_stored_order(database, key, sort),
        Order::Numbers(by) => element::by_number(database, key, sort, by),
        Order::Texts(by) => element::by_text(database, key, sort, by),
    }
}

/// What is shown of each element: itself, or what its patterns lead to.
fn show(
    database: &mut Database,
    sort: &Sort,
    elements: &[Box<[u8]>],
    mut write: impl FnMut(Option<&[u8]>),
) {
    let patterns: &[Pattern] =
        if sort.shown.is_empty() { &[Pattern::Element] } else { &sort.shown };
    for element in elements {
        for pattern in patterns {
            pattern.follow(database, element, &mut write);
        }
    }
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    fn texts(texts: &[&str]) -> Reply {
        Reply::Array(texts.iter().map(|text| bulk(text)).collect())
    }

    #[test]
    fn elements_are_numbers_unless_alpha_says_otherwise() {
        assert_eq!(run("RPUSH l 10 9 1.5 \n SORT l"), texts(&["1.5", "9", "10"]));
        assert_eq!(run("RPUSH l 10 9 1.5 \n SORT l ALPHA DESC"), texts(&["9", "10", "1.5"]));
        assert_eq!(
            run("RPUSH l 10 x \n SORT l"),
            error("ERR One or more scores can't be converted into double")
        );
    }

    #[test]
    fn other_keys_may_give_the_order() {
        let keys = "RPUSH l a b c \n MSET w_a 3 w_b 1 w_c 2 \n HSET h_a f z \n HSET h_b f y \n";
        assert_eq!(run(&format!("{keys} SORT l BY w_*")), texts(&["b", "c", "a"]));
        assert_eq!(run(&format!("{keys} SORT l BY h_*->f ALPHA")), texts(&["c", "b", "a"]));
        assert_eq!(run(&format!("{keys} SORT l BY nosort DESC")), texts(&["c", "b", "a"]));
    }

    #[test]
    fn other_keys_may_be_shown() {
        assert_eq!(
            run("RPUSH l 2 1 \n SET v_1 one \n HSET h_2 f two \n SORT l GET # GET v_* GET h_*->f"),
            Reply::Array(vec![
                bulk("1"),
                bulk("one"),
                Reply::Null,
                bulk("2"),
                Reply::Null,
                bulk("two")
            ])
        );
    }

    #[test]
    fn a_limit_cuts_what_is_sorted() {
        assert_eq!(run("RPUSH l 3 1 2 \n SORT l LIMIT 1 9"), texts(&["2", "3"]));
        assert_eq!(run("RPUSH l 3 1 2 \n SORT l LIMIT -5 2"), texts(&["1", "2"]));
        assert_eq!(run("RPUSH l 3 1 2 \n SORT l LIMIT 1 -1"), texts(&["2", "3"]));
        assert_eq!(run("RPUSH l 3 1 2 \n SORT l LIMIT 3 1"), texts(&[]));
        assert_eq!(run("RPUSH l 3 1 2 \n SORT l BY nosort LIMIT 0 2"), texts(&["3", "1"]));
    }

    #[test]
    fn what_is_stored_replaces_the_destination() {
        assert_eq!(run("RPUSH l 2 1 \n SET d x \n SORT l STORE d"), Reply::Integer(2));
        assert_eq!(run("RPUSH l 2 1 \n SORT l GET v_* STORE d \n LRANGE d 0 -1"), texts(&["", ""]));
        assert_eq!(run("SET d x \n SORT nosuch STORE d \n EXISTS d"), Reply::Integer(0));
        assert_eq!(run("SORT_RO nosuch STORE d"), error("ERR syntax error"));
    }

    #[test]
    fn a_string_cannot_be_sorted() {
        assert_eq!(
            run("SET s x \n SORT s"),
            error("WRONGTYPE Operation against a key holding the wrong kind of value")
        );
        assert_eq!(run("SORT nosuch"), texts(&[]));
    }

    #[test]
    fn a_stored_list_is_an_event_and_so_is_the_end_of_the_old_one() {
        assert_eq!(events("RPUSH l 1 \n SET d x \n SORT l STORE d"), ["sortstore d"]);
        assert_eq!(events("SET d x \n SORT nosuch STORE d"), ["del d"]);
        assert_eq!(events("SORT nosuch STORE d"), [""; 0]);
    }
}
