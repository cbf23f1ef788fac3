//! GEORADIUS and its kin, which GEOSEARCH replaces.

use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, SortedSet};
use resp::ReplyWriter;

use super::position::Position;
use super::query::{Dialect, Query, centre_of, parse_radius};
use crate::{Command, Result};

pub(crate) const GEORADIUS: Command = Command {
    spec: CommandSpec::new(
        "georadius",
        Group::Geo,
        Arity::AtLeast(6),
        "Returns the members of a geospatial index around a position, or stores them.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::FirstAndStoreFrom(6))
    .since("3.2.0")
    .syntax(
        "key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] \
         [STORE destination|STOREDIST destination]",
    ),
    run: georadius,
};

/// GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
/// [STORE key | STOREDIST key]
fn georadius(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    around_position(database, args, Dialect::Radius, reply)
}

pub(crate) const GEORADIUS_RO: Command = Command {
    spec: CommandSpec::new(
        "georadius_ro",
        Group::Geo,
        Arity::AtLeast(6),
        "Returns the members of a geospatial index around a position.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("3.2.10")
    .syntax(
        "key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]",
    ),
    run: georadius_ro,
};

/// GEORADIUS_RO key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
fn georadius_ro(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    around_position(database, args, Dialect::RadiusReadOnly, reply)
}

fn around_position(
    database: &mut Database,
    mut args: Args,
    dialect: Dialect,
    reply: &mut ReplyWriter,
) -> Result {
    let key = args.bytes()?;
    let set = database.get::<SortedSet>(key)?;
    let centre = Some(Position::parse(&mut args)?);
    let extent = Some(parse_radius(&mut args)?);
    let mut query = Query::around(centre, extent);
    query.parse_options(args, dialect, set)?;

    query.answer(database, key, EventKind::GEORADIUSSTORE, reply)
}

pub(crate) const GEORADIUSBYMEMBER: Command = Command {
    spec: CommandSpec::new(
        "georadiusbymember",
        Group::Geo,
        Arity::AtLeast(5),
        "Returns the members of a geospatial index around one of them, or stores them.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::FirstAndStoreFrom(5))
    .since("3.2.0")
    .syntax(
        "key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] \
         [STORE destination|STOREDIST destination]",
    ),
    run: georadiusbymember,
};

/// GEORADIUSBYMEMBER key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
/// [STORE key | STOREDIST key]
fn georadiusbymember(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    around_member(database, args, Dialect::Radius, reply)
}

pub(crate) const GEORADIUSBYMEMBER_RO: Command = Command {
    spec: CommandSpec::new(
        "georadiusbymember_ro",
        Group::Geo,
        Arity::AtLeast(5),
        "Returns the members of a geospatial index around one of them.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("3.2.10")
    .syntax(
        "key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]",
    ),
    run: georadiusbymember_ro,
};

/// GEORADIUSBYMEMBER_RO key member radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
fn georadiusbymember_ro(database: &mut Database, args: Args, reply: &mut ReplyWriter) -> Result {
    around_member(database, args, Dialect::RadiusReadOnly, reply)
}

fn around_member(
    database: &mut Database,
    mut args: Args,
    dialect: Dialect,
    reply: &mut ReplyWriter,
) -> Result {
    let key = args.bytes()?;
    let set = database.get::<SortedSet>(key)?;
    let centre = centre_of(set, args.bytes()?)?;
    // Redis does not look at the radius either when there is nothing to search.
    let extent = match set {
        Some(_) => Some(parse_radius(&mut args)?),
        None => args.take(2).map(|_| None)?,
    };
    let mut query = Query::around(centre, extent);
    query.parse_options(args, dialect, set)?;

    query.answer(database, key, EventKind::GEORADIUSSTORE, reply)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    const SICILY: &str = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania \n ";

    #[test]
    fn members_are_found_around_a_position_or_a_member() {
        let names = |names: &[&str]| Reply::Array(names.iter().map(|name| bulk(name)).collect());
        assert_eq!(run(&format!("{SICILY} GEORADIUS g 15 37 100 km")), names(&["Catania"]));
        assert_eq!(
            run(&format!("{SICILY} GEORADIUSBYMEMBER_RO g Palermo 1 m")),
            names(&["Palermo"])
        );
        assert_eq!(run("GEORADIUSBYMEMBER nosuch m x y"), names(&[]));
    }

    #[test]
    fn only_those_that_may_write_can_store() {
        let store = "g 15 37 100 km STORE d";
        assert_eq!(run(&format!("{SICILY} GEORADIUS {store}")), Reply::Integer(1));
        assert_eq!(events(&format!("{SICILY} GEORADIUS {store}")), ["georadiusstore d"]);
        assert_eq!(run(&format!("{SICILY} GEORADIUS_RO {store}")), error("ERR syntax error"));
    }
}
