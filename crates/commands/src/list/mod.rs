//! Lists.

mod blocking_pop;
mod end;
mod index;
mod insert;
mod length;
mod pop;
mod pop_many;
mod position;
mod push;
mod range;
mod remove;

mod set;
mod transfer;
mod trim;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &blocking_pop::BLPOP,
    &blocking_pop::BRPOP,
    &index::LINDEX,
    &insert::LINSERT,
    &length::LLEN,
    &pop::LPOP,
    &pop::RPOP,
    &pop_many::BLMPOP,
    &pop_many::LMPOP,
    &position::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &push::RPUSH,
    &push::RPUSHX,
    &range::LRANGE,
    &remove::LREM,
    &transfer::BLMOVE,
    &transfer::BRPOPLPUSH,
    &transfer::LMOVE,
    &transfer::RPOPLPUSH,
    &set::LSET,
    &trim::LTRIM,
];
