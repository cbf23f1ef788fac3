//! Streams and their consumer groups.

mod ack;
mod add;
mod auto_claim;
mod claim;
mod consumer;
mod delete;
mod entry;
mod group;
mod id;
mod info;
mod info_full;
mod no_group;
mod pending;
mod range;
mod read;
mod read_group;
mod read_option;
mod set_id;
mod trim;
mod trim_option;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &ack::XACK,
    &add::XADD,
    &auto_claim::XAUTOCLAIM,
    &claim::XCLAIM,
    &consumer::CREATECONSUMER,
    &consumer::DELCONSUMER,
    &delete::XDEL,
    &group::CREATE,
    &group::DESTROY,
    &group::SETID,
    &info::CONSUMERS,
    &info::GROUPS,
    &info::STREAM,
    &pending::XPENDING,
    &range::XLEN,
    &range::XRANGE,
    &range::XREVRANGE,
    &read::XREAD,
    &read_group::XREADGROUP,
    &set_id::XSETID,
    &trim::XTRIM,
];
