//! Sharded channels: SSUBSCRIBE, SUNSUBSCRIBE, SPUBLISH and what PUBSUB tells of them.

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Result, glob};
use resp::ReplyWriter;

use super::{FLAGS, PUBSUB_FLAGS, confirm};
use crate::client::Slot;
use crate::commands::fail;
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
fn ssubscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    if state.depth > 0 {
        return fail("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    for channel in args.rest() {
        let client = &mut state.clients[slot];
        if client.shard_channels.insert(channel.to_vec()) {
            state.pubsub.subscribe_shard(slot, channel);
        }
        confirm(reply, "ssubscribe", Some(channel), client.shard_channels.len());
    }
    Ok(())
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
    run: sunsubscribe,
};

/// SUNSUBSCRIBE [shardchannel ...]
fn sunsubscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut channels: Vec<Vec<u8>> = args.rest().iter().map(|channel| channel.to_vec()).collect();
    if channels.is_empty() {
        channels = state.clients[slot].shard_channels.iter().cloned().collect();
    }
    if channels.is_empty() {
        confirm(reply, "sunsubscribe", None, 0);
    }
    for channel in channels {
        if state.clients[slot].shard_channels.remove(&channel) {
            state.pubsub.unsubscribe_shard(slot, &channel);
        }
        let left = state.clients[slot].shard_channels.len();
        confirm(reply, "sunsubscribe", Some(&channel), left);
    }
    Ok(())
}

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

    let active: Vec<&[u8]> =
        state.pubsub.shard_channels().filter(|channel| glob::matches(pattern, channel)).collect();
    reply.array(active.len());
    active.iter().for_each(|channel| reply.bulk(channel));
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
    run: shard_numsub,
};

/// PUBSUB SHARDNUMSUB [shardchannel ...]
fn shard_numsub(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let channels = args.rest();
    reply.map(channels.len());
    for channel in channels {
        reply.bulk(channel);
        reply.integer(state.pubsub.shard_listeners(channel) as i64);
    }
    Ok(())
}
