//! What is known of members by name: GEOPOS, GEOHASH, GEODIST.

use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, SortedSet};
use resp::ReplyWriter;

use super::cell::{Cell, geohash};
use super::distance::{Unit, distance};
use super::position::Position;
use crate::{Command, Error, Result};

pub(super) fn position_of(set: &SortedSet, member: &[u8]) -> Option<Position> {
    Some(Cell::of_score(set.score(member)?).position())
}

pub(crate) const GEOPOS: Command = Command {
    spec: CommandSpec::new(
        "geopos",
        Group::Geo,
        Arity::AtLeast(2),
        "Returns the longitude and latitude of members of a geospatial index.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("3.2.0")
    .syntax("key [member [member ...]]"),
    run: |database, args, reply| {
        write_each(database, args, reply, |position, reply| match position {
            Some(position) => position.write(reply),
            None => reply.null_array(),
        })
    },
};

pub(crate) const GEOHASH: Command = Command {
    spec: CommandSpec::new(
        "geohash",
        Group::Geo,
        Arity::AtLeast(2),
        "Returns the positions of members of a geospatial index as geohash strings.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("3.2.0")
    .syntax("key [member [member ...]]"),
    run: |database, args, reply| {
        write_each(database, args, reply, |position, reply| match position {
            Some(position) => reply.bulk(&geohash(position)),
            None => reply.null(),
        })
    },
};

/// GEOPOS, GEOHASH key [member ...]
fn write_each(
    database: &mut Database,
    mut args: Args,
    reply: &mut ReplyWriter,
    write: fn(Option<Position>, &mut ReplyWriter),
) -> Result {
    let set = database.get::<SortedSet>(args.bytes()?)?;
    let members = args.rest();

    reply.array(members.len());
    for member in members {
        write(set.and_then(|set| position_of(set, member)), reply);
    }
    Ok(())
}

pub(crate) const GEODIST: Command = Command {
    spec: CommandSpec::new(
        "geodist",
        Group::Geo,
        Arity::AtLeast(4),
        "Returns the distance between two members of a geospatial index.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("3.2.0")
    .syntax("key member1 member2 [M|KM|FT|MI]"),
    run: geodist,
};

/// GEODIST key member1 member2 [M | KM | FT | MI]
fn geodist(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let (from, to) = (args.bytes()?, args.bytes()?);
    let unit = match args.rest() {
        [] => Unit::METRE,
        [unit] => Unit::parse(unit)?,
        _ => return Err(Error::Argument(ArgError::Syntax).into()),
    };

    let set = database.get::<SortedSet>(key)?;
    let position = |member| set.and_then(|set| position_of(set, member));
    match (position(from), position(to)) {
        (Some(from), Some(to)) => reply.text(&unit.text_of(distance(from, to))),
        _ => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, run};

    const SICILY: &str = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania \n ";

    #[test]
    fn members_have_positions_and_hashes_and_others_have_none() {
        assert_eq!(
            run(&format!("{SICILY} GEOPOS g Palermo nobody")),
            Reply::Array(vec![
                Reply::Array(vec![bulk("13.36138933897018433"), bulk("38.11555639549629859")]),
                Reply::Null,
            ])
        );
        assert_eq!(
            run(&format!("{SICILY} GEOHASH g Catania nobody")),
            Reply::Array(vec![bulk("sqdtr74hyu0"), Reply::Null])
        );
    }

    #[test]
    fn distances_come_in_units() {
        assert_eq!(run(&format!("{SICILY} GEODIST g Palermo Catania")), bulk("166274.1516"));
        assert_eq!(run(&format!("{SICILY} GEODIST g Palermo Catania mi")), bulk("103.3182"));
        assert_eq!(run(&format!("{SICILY} GEODIST g Palermo nobody")), Reply::Null);
        assert_eq!(
            run("GEODIST g a b leagues"),
            error("ERR unsupported unit provided. please use M, KM, FT, MI")
        );
        assert_eq!(run("GEODIST g a b m m"), error("ERR syntax error"));
    }
}
