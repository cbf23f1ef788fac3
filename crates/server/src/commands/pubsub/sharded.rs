//! Sharded channels: SSUBSCRIBE, SUNSUBSCRIBE, SPUBLISH and what PUBSUB tells of them.

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use super::{FLAGS, PUBSUB_FLAGS, subscribe, unsubscribe, write_active, write_counts};
use crate::client::Slot;
use crate::commands::fail;
use crate::pubsub::Subscription;
use crate::state::{ServerCommand, State};

pub(super) const SSUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "ssubscribe",
        Group::PubSub,
        Arity::AtLeast(2),
        "Listens for messages published to shard channels.",
    )
    .flags(FLAGS)
    .since("7.0.0")
    .syntax("shardchannel [shardchannel ...]"),
    run: ssubscribe,
};

/// SSUBSCRIBE shardchannel [shardchannel ...]
fn ssubscribe(state: &mut State, slot: Slot, args: Args, reply: &mut ReplyWriter) -> Result {
    if state.depth > 0 {
        return fail("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    subscribe(state, slot, args, reply, Subscription::ShardChannel)
}

pub(super) const SUNSUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "sunsubscribe",
        Group::PubSub,
        Arity::AtLeast(1),
        "Stops listening to messages posted to shard channels.",
    )
    .flags(FLAGS)
    .since("7.0.0")
    .syntax("[shardchannel [shardchannel ...]]"),
    run: |state, slot, args, reply| {
        unsubscribe(state, slot, args, reply, Subscription::ShardChannel)
    },
};

pub(super) const SPUBLISH: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "spublish",
        Group::PubSub,
        Arity::Exactly(3),
        "Posts a message to a shard channel.",
    )
    .flags(PUBSUB_FLAGS.and(Flags::FAST))
    .since("7.0.0")
    .syntax("shardchannel message"),
    run: spublish,
};

/// SPUBLISH shardchannel message
fn spublish(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let channel = args.bytes()?;
    let message = args.bytes()?;

    let receivers = state.pubsub.publish_shard(&mut state.clients, channel, message);
    reply.integer(receivers as i64);
    Ok(())
}

pub(super) const SHARDCHANNELS: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "pubsub|shardchannels",
        Group::PubSub,
        Arity::AtLeast(2),
        "Returns the active shard channels.",
    )
    .flags(PUBSUB_FLAGS)
    .since("7.0.0")
    .syntax("[pattern]"),
    run: shard_channels,
};

/// PUBSUB SHARDCHANNELS [pattern]
fn shard_channels(
    state: &mut State,
    _slot: Slot,
    mut args: Args,
    reply: &mut ReplyWriter,
) -> Result {
    let pattern = if args.is_empty() { b"*" } else { args.bytes()? };

    write_active(reply, state.pubsub.listeners(Subscription::ShardChannel), pattern);
    Ok(())
}

pub(super) const SHARDNUMSUB: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "pubsub|shardnumsub",
        Group::PubSub,
        Arity::AtLeast(2),
        "Returns the count of subscribers of shard channels.",
    )
    .flags(PUBSUB_FLAGS)
    .since("7.0.0")
    .syntax("[shardchannel [shardchannel ...]]"),
    run: |state, _slot, args, reply| {
        write_counts(reply, state.pubsub.listeners(Subscription::ShardChannel), args)
    },
};
