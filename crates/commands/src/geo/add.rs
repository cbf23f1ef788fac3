use command_spec::{ArgError, Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::Database;
use resp::ReplyWriter;

use super::cell::{Cell, STEPS_MAX};
use super::position::Position;
use crate::sorted_set::ZADD;
use crate::{Command, Error, Result};

pub(crate) const GEOADD: Command = Command {
    spec: CommandSpec::new(
        "geoadd",
        Group::Geo,
        Arity::AtLeast(5),
        "Adds members with their positions to a geospatial index; it is created if the key doesn't exist.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::First)
    .since("3.2.0")
    .syntax("key [NX|XX] [CH] <longitude latitude member> ..."),
    run: geoadd,
};

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]
///
/// It is a ZADD of cells, and answers as one.
fn geoadd(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut request = vec![args.bytes()?];
    let (mut nx, mut xx) = (false, false);
    while let Some(word) = args.peek() {
        if args.keyword("NX") {
            nx = true;
        } else if args.keyword("XX") {
            xx = true;
        } else if !args.keyword("CH") {
            break;
        }
        request.push(word);
    }
    if !args.len().is_multiple_of(3) || (nx && xx) {
        return Err(Error::Argument(ArgError::Syntax).into());
    }
    let mut cells = Vec::with_capacity(args.len() / 3);
    while !args.is_empty() {
        let cell = Cell::around(Position::parse(&mut args)?, STEPS_MAX);
        cells.push((cell.score().to_string(), args.bytes()?));
    }

    for (score, member) in &cells {
        request.extend([score.as_bytes(), member]);
    }
    (ZADD.run)(database, Args::new(&request), reply)
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{bulk, error, events, run};

    #[test]
    fn a_position_is_a_score() {
        assert_eq!(
            run("GEOADD g 13.361389 38.115556 Palermo \n ZSCORE g Palermo"),
            bulk("3479099956230698")
        );
        assert_eq!(run("GEOADD g 1 1 a 2 2 b"), Reply::Integer(2));
        assert_eq!(run("GEOADD g 1 1 a \n GEOADD g XX CH 2 2 a 3 3 b"), Reply::Integer(1));
        assert_eq!(events("GEOADD g 1 1 a"), ["zadd g"]);
    }

    #[test]
    fn positions_off_the_map_are_refused_before_any_is_stored() {
        assert_eq!(
            run("GEOADD g 1 1 a 200 0 b"),
            error("ERR invalid longitude,latitude pair 200.000000,0.000000")
        );
        assert_eq!(run("GEOADD g 1 1 a 200 0 b \n EXISTS g"), Reply::Integer(0));
        assert_eq!(run("GEOADD g NX XX 1 1 a"), error("ERR syntax error"));
        assert_eq!(run("GEOADD g 1 1 a 2 2"), error("ERR syntax error"));
    }
}
