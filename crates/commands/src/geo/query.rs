//! What GEOSEARCH and GEORADIUS ask for, and the answer.

use std::ops::Bound;

use command_spec::{ArgError, Args};
use keyspace::value::sorted_set::Score;
use keyspace::{Database, EventKind, Limits, Object, SortedSet};
use resp::ReplyWriter;

use super::cell::Cell;
use super::distance::{Unit, parse_length};
use super::members::position_of;
use super::position::Position;
use super::shape::{Extent, Shape};
use crate::error::fail;
use crate::store::store;
use crate::{Error, Result};

/// Which words a command knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// GEOSEARCH
    Search,
    /// GEOSEARCHSTORE
    SearchStore,
    /// GEORADIUS and GEORADIUSBYMEMBER
    Radius,
    /// Those that cannot store.
    RadiusReadOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// Where a result goes instead of into the reply.
#[derive(Clone, Copy, Debug)]
struct Destination<'a> {
    key: &'a [u8],
    /// What becomes the score, if not the position.
    stores_distance: bool,
}

#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    /// Not there while the centre is a member of a set that doesn't exist: then nothing can be found anyway.
    centre: Option<Position>,
    extent: Option<(Extent, Unit)>,
    destination: Option<Destination<'a>>,
    order: Option<Order>,
    count: Option<usize>,
    /// ANY: the first that are found will do.
    takes_any: bool,
    shows_distance: bool,
    shows_score: bool,
    shows_position: bool,
}

/// A member within the shape.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    member: &'a [u8],
    score: Score,
    /// From the centre, in metres.
    distance: f64,
}

/// radius unit
pub(super) fn parse_radius(args: &mut Args) -> Result<(Extent, Unit)> {
    let radius = parse_length(args, "ERR need numeric radius")?;
    if radius < 0.0 {
        return fail("ERR radius cannot be negative");
    }
    Ok((Extent::Radius(radius), Unit::parse(args.bytes()?)?))
}

/// width height unit
fn parse_box(args: &mut Args) -> Result<(Extent, Unit)> {
    let width = parse_length(args, "ERR need numeric width")?;
    let height = parse_length(args, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return fail("ERR height or width cannot be negative");
    }
    Ok((Extent::Box { width, height }, Unit::parse(args.bytes()?)?))
}

/// The position of a member that must be there, in a set that need not.
pub(super) fn centre_of(set: Option<&SortedSet>, member: &[u8]) -> Result<Option<Position>> {
    let Some(set) = set else { return Ok(None) };
    let position = position_of(set, member);
    if position.is_none() {
        return fail("ERR could not decode requested zset member");
    }
    Ok(position)
}

impl<'a> Query<'a> {
    pub(super) fn around(centre: Option<Position>, extent: Option<(Extent, Unit)>) -> Self {
        Query { centre, extent, ..Query::default() }
    }

    pub(super) fn stored_in(key: &'a [u8]) -> Self {
        let destination = Destination { key, stores_distance: false };
        Query { destination: Some(destination), ..Query::default() }
    }

    /// Reads the options that follow the fixed arguments, whose values are in the query already.
    pub(super) fn parse_options(
        &mut self,
        mut args: Args<'a>,
        dialect: Dialect,
        set: Option<&SortedSet>,
    ) -> Result {
        let searches = matches!(dialect, Dialect::Search | Dialect::SearchStore);
        let (mut from_member, mut from_position, mut by_radius, mut by_box) =
            (false, false, false, false);
        while let Some(word) = args.peek() {
            args.bytes()?;
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let left = args.len();
            if is("WITHDIST") {
                self.shows_distance = true;
            } else if is("WITHHASH") {
                self.shows_score = true;
            } else if is("WITHCOORD") {
                self.shows_position = true;
            } else if is("ANY") {
                self.takes_any = true;
            } else if is("ASC") {
                self.order = Some(Order::Nearest);
            } else if is("DESC") {
                self.order = Some(Order::Farthest);
            } else if is("COUNT") && left >= 1 {
                let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
                self.count = Some(count.ok_or(Error::text("ERR COUNT must be > 0"))?);
            } else if dialect == Dialect::Radius && (is("STORE") || is("STOREDIST")) && left >= 1 {
                let stores_distance = is("STOREDIST");
                self.destination = Some(Destination { key: args.bytes()?, stores_distance });
            } else if searches && is("FROMMEMBER") && left >= 1 && !from_position {
                self.centre = centre_of(set, args.bytes()?)?;
                from_member = true;
            } else if searches && is("FROMLONLAT") && left >= 2 && !from_member {
                self.centre = Some(Position::parse(&mut args)?);
                from_position = true;
            } else if searches && is("BYRADIUS") && left >= 2 && !by_box {
                self.extent = Some(parse_radius(&mut args)?);
                by_radius = true;
            } else if searches && is("BYBOX") && left >= 3 && !by_radius {
                self.extent = Some(parse_box(&mut args)?);
                by_box = true;
            } else if dialect == Dialect::SearchStore
                && is("STOREDIST")
                && let Some(destination) = &mut self.destination
            {
                destination.stores_distance = true;
            } else {
                return Err(Error::Argument(ArgError::Syntax).into());
            }
        }
        self.check(dialect, from_member || from_position)
    }

    fn check(&self, dialect: Dialect, has_centre: bool) -> Result {
        let name = match dialect {
            Dialect::SearchStore => "GEOSEARCHSTORE",
            Dialect::Search => "GEOSEARCH",
            Dialect::Radius | Dialect::RadiusReadOnly => "STORE option in GEORADIUS",
        };
        let refuse = |text: String| Err(Error::Text(text.into()).into());
        if self.destination.is_some()
            && (self.shows_distance || self.shows_score || self.shows_position)
        {
            return refuse(format!(
                "ERR {name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ));
        }
        let searches = matches!(dialect, Dialect::Search | Dialect::SearchStore);
        if searches && !has_centre {
            return refuse(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            ));
        }
        if searches && self.extent.is_none() {
            return refuse(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            ));
        }
        if self.takes_any && self.count.is_none() {
            return fail("ERR the ANY argument requires COUNT argument");
        }
        Ok(())
    }

    /// Answers from the set at a key, or stores the answer.
    pub(super) fn answer(
        &self,
        database: &mut Database,
        key: &[u8],
        event: EventKind,
        reply: &mut ReplyWriter,
    ) -> Result {
        let limits = database.limits();
        let set = database.get::<SortedSet>(key)?;
        let found = set.map_or_else(Vec::new, |set| self.find(set));
        match self.destination {
            None => self.write(&found, reply),
            Some(destination) => {
                let result = self.collect(&found, destination.stores_distance, &limits);
                let stored = store(database, destination.key, Object::SortedSet(result), event);
                reply.integer(stored as i64);
            }
        }
        Ok(())
    }

    fn find<'s>(&self, set: &'s SortedSet) -> Vec<Found<'s>> {
        let (Some(centre), Some((extent, unit))) = (self.centre, self.extent) else {
            return Vec::new();
        };
        let shape = Shape { centre, extent, unit };
        let enough = self.count.filter(|_| self.takes_any).unwrap_or(usize::MAX);
        let inside = shape.area().into_cells().flat_map(|cell| {
            let scores = cell.scores();
            let ranks = set.score_ranks(Bound::Included(scores.start), Bound::Excluded(scores.end));
            set.range(ranks).filter_map(|(member, score)| {
                let distance = shape.distance_inside(Cell::of_score(score).position())?;
                Some(Found { member, score, distance })
            })
        });
        let mut found: Vec<Found> = inside.take(enough).collect();

        // The nearest are meant where only some are asked for.
        let wants_some = self.count.is_some() && !self.takes_any;
        match self.order.or(wants_some.then_some(Order::Nearest)) {
            Some(Order::Nearest) => {
                found.sort_by(|one, other| one.distance.total_cmp(&other.distance));
            }
            Some(Order::Farthest) => {
                found.sort_by(|one, other| other.distance.total_cmp(&one.distance));
            }
            None => {}
        }
        found.truncate(self.count.unwrap_or(usize::MAX));
        found
    }

    fn write(&self, found: &[Found], reply: &mut ReplyWriter) {
        let shown = [self.shows_distance, self.shows_score, self.shows_position];
        let extras = shown.into_iter().filter(|shows| *shows).count();
        let unit = self.extent.map_or(Unit::METRE, |(_, unit)| unit);
        reply.array(found.len());
        for found in found {
            if extras > 0 {
                reply.array(1 + extras);
            }
            reply.bulk(found.member);
            if self.shows_distance {
                reply.text(&unit.text_of(found.distance));
            }
            if self.shows_score {
                reply.integer(found.score as i64);
            }
            if self.shows_position {
                Cell::of_score(found.score).position().write(reply);
            }
        }
    }

    fn collect(&self, found: &[Found], stores_distance: bool, limits: &Limits) -> SortedSet {
        let unit = self.extent.map_or(Unit::METRE, |(_, unit)| unit);
        let mut result = SortedSet::default();
        for found in found {
            let score = if stores_distance { found.distance / unit.0 } else { found.score };
            result.insert(found.member, score, limits);
        }
        result
    }
}
