//! Keys of any type.

mod copy;
mod delete;
mod dump;
mod exists;
mod expire;
mod flush;
mod object;
mod rename;
mod scan;
mod sort;
mod ttl;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &copy::MOVE,
    &delete::DEL,
    &delete::UNLINK,
    &dump::DUMP,
    &dump::RESTORE,
    &exists::EXISTS,
    &exists::TOUCH,
    &exists::TYPE,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &expire::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &flush::DBSIZE,
    &flush::FLUSHDB,
    &object::ENCODING,
    &object::FREQ,
    &object::IDLETIME,
    &object::REFCOUNT,
    &rename::RENAME,
    &rename::RENAMENX,
    &scan::KEYS,
    &scan::RANDOMKEY,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &ttl::EXPIRETIME,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &ttl::TTL,
];
