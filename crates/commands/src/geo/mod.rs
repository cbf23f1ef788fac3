//! Positions on Earth, kept as the scores of a sorted set.

mod add;
mod area;
mod cell;
mod distance;
mod members;
mod position;
mod query;
mod radius;
mod search;
mod shape;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &add::GEOADD,
    &members::GEODIST,
    &members::GEOHASH,
    &members::GEOPOS,
    &radius::GEORADIUS,
    &radius::GEORADIUSBYMEMBER,
    &radius::GEORADIUSBYMEMBER_RO,
    &radius::GEORADIUS_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];
