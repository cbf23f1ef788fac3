//! Strings and counters.

mod append;
mod counter;
mod float;
mod get;
mod many;
mod range;
mod set;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &append::APPEND,
    &append::STRLEN,
    &counter::DECR,
    &counter::DECRBY,
    &counter::INCR,
    &counter::INCRBY,
    &float::INCRBYFLOAT,
    &get::GET,
    &get::GETDEL,
    &get::GETEX,
    &get::GETSET,
    &many::MGET,
    &many::MSET,
    &many::MSETNX,
    &range::GETRANGE,
    &range::SETRANGE,
    &range::SUBSTR,
    &set::PSETEX,
    &set::SET,
    &set::SETEX,
    &set::SETNX,
];
