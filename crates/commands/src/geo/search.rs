use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind, SortedSet};
use resp::ReplyWriter;

use super::query::{Dialect, Query};
use crate::{Command, Result};

pub(crate) const GEOSEARCH: Command = Command {
    spec: CommandSpec::new(
        "geosearch",
        Group::Geo,
        Arity::AtLeast(7),
        "Returns the members of a geospatial index that are inside a circle or a box.",
    )
    .flags(Flags::READONLY)
    .keys(Keys::First)
    .since("6.2.0")
    .syntax(
        "key <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS radius unit|BYBOX width height unit> [ASC|DESC] \
         [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    ),
    run: geosearch,
};

/// GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius unit | BYBOX width height unit>
/// [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
fn geosearch(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let key = args.bytes()?;
    let mut query = Query::default();
    query.parse_options(args, Dialect::Search, database.get::<SortedSet>(key)?)?;

    query.answer(database, key, EventKind::GEOSEARCHSTORE, reply)
}

pub(crate) const GEOSEARCHSTORE: Command = Command {
    spec: CommandSpec::new(
        "geosearchstore",
        Group::Geo,
        Arity::AtLeast(8),
        "Stores the members of a geospatial index that are inside a circle or a box.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::Range { first: 1, last: 2, step: 1 })
    .since("6.2.0")
    .syntax(
        "destination source <FROMMEMBER member|FROMLONLAT longitude latitude> \
         <BYRADIUS radius unit|BYBOX width height unit> [ASC|DESC] [COUNT count [ANY]] [STOREDIST]",
    ),
    run: geosearchstore,
};

/// GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude>
/// <BYRADIUS radius unit | BYBOX width height unit> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]
fn geosearchstore(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut query = Query::stored_in(args.bytes()?);
    let key = args.bytes()?;
    query.parse_options(args, Dialect::SearchStore, database.get::<SortedSet>(key)?)?;

    query.answer(database, key, EventKind::GEOSEARCHSTORE, reply)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    const SICILY: &str = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania \n ";

    fn search(options: &str) -> Reply {
        run(&format!("{SICILY} GEOSEARCH g {options}"))
    }

    fn names(names: &[&str]) -> Reply {
        Reply::Array(names.iter().map(|name| bulk(name)).collect())
    }

    #[test]
    fn members_are_found_by_circle_and_by_box() {
        assert_eq!(search("FROMLONLAT 15 37 BYRADIUS 200 km ASC"), names(&["Catania", "Palermo"]));
        assert_eq!(search("FROMLONLAT 15 37 BYRADIUS 100 km"), names(&["Catania"]));
        assert_eq!(search("FROMMEMBER Palermo BYBOX 10 10 m"), names(&["Palermo"]));
        assert_eq!(search("FROMLONLAT 15 37 BYBOX 400 400 km DESC COUNT 1"), names(&["Palermo"]));
        assert_eq!(search("FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1"), names(&["Catania"]));
        assert_eq!(run("GEOSEARCH nosuch FROMMEMBER m BYRADIUS 1 m"), names(&[]));
    }

    #[test]
    fn options_must_make_one_question() {
        assert_eq!(
            search("BYRADIUS 1 m ASC ASC"),
            error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH")
        );
        assert_eq!(
            search("FROMLONLAT 1 1 ASC ASC"),
            error("ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH")
        );
        assert_eq!(
            search("FROMLONLAT 1 1 BYRADIUS 1 m ANY"),
            error("ERR the ANY argument requires COUNT argument")
        );
        assert_eq!(search("FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m"), error("ERR syntax error"));
        assert_eq!(
            search("FROMMEMBER nobody BYRADIUS 1 m"),
            error("ERR could not decode requested zset member")
        );
    }

    #[test]
    fn positions_or_distances_are_stored() {
        let store = "GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 1 km";
        assert_eq!(run(&format!("{SICILY} {store} \n ZSCORE d Palermo")), bulk("3479099956230698"));
        assert_eq!(run(&format!("{SICILY} {store} STOREDIST \n ZSCORE d Palermo")), bulk("0"));
        assert_eq!(events(&format!("{SICILY} {store}")), ["geosearchstore d"]);
        assert_eq!(
            run(&format!("{SICILY} {store} WITHDIST")),
            error(
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )
        );
    }
}
