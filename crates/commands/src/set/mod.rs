//! Sets.

mod add;
mod algebra;
mod intersection_count;
mod members;
mod membership;
mod pop;
mod random;
mod remove;
mod scan;
mod sources;
mod transfer;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &add::SADD,
    &algebra::SDIFF,
    &algebra::SDIFFSTORE,
    &algebra::SINTER,
    &algebra::SINTERSTORE,
    &algebra::SUNION,
    &algebra::SUNIONSTORE,
    &intersection_count::SINTERCARD,
    &members::SCARD,
    &members::SMEMBERS,
    &membership::SISMEMBER,
    &membership::SMISMEMBER,
    &pop::SPOP,
    &random::SRANDMEMBER,
    &remove::SREM,
    &scan::SSCAN,
    &transfer::SMOVE,
];
