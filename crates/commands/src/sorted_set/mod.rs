//! Sorted sets.

mod add;
mod blocking_pop;
mod bounds;
mod combine;
mod count;
mod members;
mod pop;
mod pop_first;
mod random;
mod range;
mod range_query;
mod range_store;
mod rank;
mod remove;
mod remove_range;
mod scan;
mod score;
mod source;

use crate::Command;
pub(crate) use add::ZADD;

pub(crate) const COMMANDS: &[&Command] = &[
    &add::ZADD,
    &add::ZINCRBY,
    &blocking_pop::BZMPOP,
    &blocking_pop::BZPOPMAX,
    &blocking_pop::BZPOPMIN,
    &combine::ZDIFF,
    &combine::ZDIFFSTORE,
    &combine::ZINTER,
    &combine::ZINTERCARD,
    &combine::ZINTERSTORE,
    &combine::ZUNION,
    &combine::ZUNIONSTORE,
    &count::ZCARD,
    &count::ZCOUNT,
    &count::ZLEXCOUNT,
    &pop::ZPOPMAX,
    &pop::ZPOPMIN,
    &pop_first::ZMPOP,
    &random::ZRANDMEMBER,
    &range::ZRANGE,
    &range::ZRANGEBYLEX,
    &range::ZRANGEBYSCORE,
    &range::ZREVRANGE,
    &range::ZREVRANGEBYLEX,
    &range::ZREVRANGEBYSCORE,
    &range_store::ZRANGESTORE,
    &rank::ZRANK,
    &rank::ZREVRANK,
    &remove::ZREM,
    &remove_range::ZREMRANGEBYLEX,
    &remove_range::ZREMRANGEBYRANK,
    &remove_range::ZREMRANGEBYSCORE,
    &scan::ZSCAN,
    &score::ZMSCORE,
    &score::ZSCORE,
];
