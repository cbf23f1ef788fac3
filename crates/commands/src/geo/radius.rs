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
    run: |database, args, reply| {
        around(database, args, reply, Centre::Position, Dialect::Radius)
    },
};

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
    run: |database, args, reply| {
        around(database, args, reply, Centre::Position, Dialect::RadiusReadOnly)
    },
};

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
    run: |database, args, reply| around(database, args, reply, Centre::Member, Dialect::Radius),
};

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
    run: |database, args, reply| {
        around(database, args, reply, Centre::Member, Dialect::RadiusReadOnly)
    },
};

/// What the circle is drawn around.
#[derive(Clone, Copy)]
enum Centre {
    Position,
    Member,
}

/// GEORADIUS[_RO] key longitude latitude radius unit …, GEORADIUSBYMEMBER[_RO] key member radius unit …
/// [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]
fn around(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    centre: Centre,
    dialect: Dialect,
) -> Result {
    let key = args.bytes()?;
    let set = database.get::<SortedSet>(key)?;
    let position = match centre {
        Centre::Position => Some(Position::parse(&mut args)?),
        Centre::Member => centre_of(set, args.bytes()?)?,
    };
    let extent = match (centre, set) {
        // Redis does not look at the radius either when there is nothing to search.
        (Centre::Member, None) => args.take(2).map(|_| None)?,
        _ => Some(parse_radius(&mut args)?),
    };
    let mut query = Query::around(position, extent);
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
