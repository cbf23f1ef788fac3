use command_spec::{Arity, CommandSpec, Flags, Group};
use resp::ReplyWriter;

use crate::commands::fail;
use crate::state::ServerCommand;

/// RedisGears 1.2.13, as clients decode it: major * 10000 + minor * 100 + patch.
const GEARS_VERSION: i64 = 10_213;

pub(crate) const LIST: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "module|list",
        Group::Server,
        Arity::Exactly(2),
        "Returns all loaded modules.",
    )
    .flags(Flags::ADMIN.and(Flags::NO_SCRIPT))
    .since("4.0.0"),
    run: |_state, _slot, _args, reply| {
        write_modules(reply);
        Ok(())
    },
};

/// The function engine shows itself as the module that clients look for.
pub(crate) fn write_modules(reply: &mut ReplyWriter) {
    reply.array(1);
    reply.map(4);
    reply.text("name");
    reply.text("rg");
    reply.text("ver");
    reply.integer(GEARS_VERSION);
    reply.text("path");
    reply.text("");
    reply.text("args");
    reply.array(0);
}

/// Clients that try cluster mode first go on without it when they get this very error.
const fn cluster(name: &'static str, arity: Arity, summary: &'static str) -> ServerCommand {
    ServerCommand {
        spec: CommandSpec::new(name, Group::Cluster, arity, summary)
            .flags(Flags::STALE)
            .since("3.0.0"),
        run: |_state, _slot, _args, _reply| fail("ERR This instance has cluster support disabled"),
    }
}

pub(crate) const CLUSTER_INFO: ServerCommand =
    cluster("cluster|info", Arity::Exactly(2), "Returns information about the state of a node.");

pub(crate) const CLUSTER_KEYSLOT: ServerCommand =
    cluster("cluster|keyslot", Arity::Exactly(3), "Returns the hash slot for a key.");

pub(crate) const CLUSTER_MYID: ServerCommand =
    cluster("cluster|myid", Arity::Exactly(2), "Returns the ID of a node.");

pub(crate) const CLUSTER_NODES: ServerCommand =
    cluster("cluster|nodes", Arity::Exactly(2), "Returns the cluster configuration for a node.");

pub(crate) const CLUSTER_SHARDS: ServerCommand =
    cluster("cluster|shards", Arity::Exactly(2), "Returns the mapping of cluster slots to shards.");

pub(crate) const CLUSTER_SLOTS: ServerCommand =
    cluster("cluster|slots", Arity::Exactly(2), "Returns the mapping of cluster slots to nodes.");
