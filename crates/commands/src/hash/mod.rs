//! Hashes.

mod all;
mod counter;
mod delete;
mod float;
mod get;
mod length;
mod random;
mod scan;
mod set;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &all::HGETALL,
    &all::HKEYS,
    &all::HVALS,
    &counter::HINCRBY,
    &delete::HDEL,
    &float::HINCRBYFLOAT,
    &get::HEXISTS,
    &get::HGET,
    &get::HMGET,
    &length::HLEN,
    &length::HSTRLEN,
    &random::HRANDFIELD,
    &scan::HSCAN,
    &set::HMSET,
    &set::HSET,
    &set::HSETNX,
];
