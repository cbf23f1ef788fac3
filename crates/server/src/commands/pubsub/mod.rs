//! SUBSCRIBE and its kin, PUBLISH, PUBSUB.

mod sharded;

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Result, glob};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::state::{ServerCommand, State};

pub(crate) const COMMANDS: &[&ServerCommand] = &[
    &CHANNELS,
    &NUMPAT,
    &NUMSUB,
    &PSUBSCRIBE,
    &PUBLISH,
    &PUNSUBSCRIBE,
    &SUBSCRIBE,
    &UNSUBSCRIBE,
    &sharded::SHARDCHANNELS,
    &sharded::SHARDNUMSUB,
    &sharded::SPUBLISH,
    &sharded::SSUBSCRIBE,
    &sharded::SUNSUBSCRIBE,
];

const FLAGS: Flags = Flags::PUBSUB.and(Flags::NO_SCRIPT).and(Flags::LOADING).and(Flags::STALE);

const SUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "subscribe",
        Group::PubSub,
        Arity::AtLeast(2),
        "Listens for messages published to channels.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("channel [channel ...]"),
    run: subscribe,
};

/// SUBSCRIBE channel [channel ...]
fn subscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    refuse_inside_multi(state)?;
    for channel in args.rest() {
        let client = &mut state.clients[slot];
        if client.channels.insert(channel.to_vec()) {
            state.pubsub.subscribe(slot, channel);
        }
        confirm(reply, "subscribe", Some(channel), client.subscriptions());
    }
    Ok(())
}

const UNSUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "unsubscribe",
        Group::PubSub,
        Arity::AtLeast(1),
        "Stops listening to messages posted to channels.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("[channel [channel ...]]"),
    run: unsubscribe,
};

/// UNSUBSCRIBE [channel ...]
fn unsubscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut channels: Vec<Vec<u8>> = args.rest().iter().map(|channel| channel.to_vec()).collect();
    if channels.is_empty() {
        channels = state.clients[slot].channels.iter().cloned().collect();
    }
    if channels.is_empty() {
        confirm(reply, "unsubscribe", None, state.clients[slot].subscriptions());
    }
    for channel in channels {
        if state.clients[slot].channels.remove(&channel) {
            state.pubsub.unsubscribe(slot, &channel);
        }
        confirm(reply, "unsubscribe", Some(&channel), state.clients[slot].subscriptions());
    }
    Ok(())
}

const PSUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "psubscribe",
        Group::PubSub,
        Arity::AtLeast(2),
        "Listens for messages published to channels that match one or more patterns.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("pattern [pattern ...]"),
    run: psubscribe,
};

/// PSUBSCRIBE pattern [pattern ...]
fn psubscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    refuse_inside_multi(state)?;
    for pattern in args.rest() {
        let client = &mut state.clients[slot];
        if client.patterns.insert(pattern.to_vec()) {
            state.pubsub.subscribe_pattern(slot, pattern);
        }
        confirm(reply, "psubscribe", Some(pattern), client.subscriptions());
    }
    Ok(())
}

const PUNSUBSCRIBE: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "punsubscribe",
        Group::PubSub,
        Arity::AtLeast(1),
        "Stops listening to messages published to channels that match one or more patterns.",
    )
    .flags(FLAGS)
    .since("2.0.0")
    .syntax("[pattern [pattern ...]]"),
    run: punsubscribe,
};

/// PUNSUBSCRIBE [pattern ...]
fn punsubscribe(state: &mut State, slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let mut patterns: Vec<Vec<u8>> = args.rest().iter().map(|pattern| pattern.to_vec()).collect();
    if patterns.is_empty() {
        patterns = state.clients[slot].patterns.iter().cloned().collect();
    }
    if patterns.is_empty() {
        confirm(reply, "punsubscribe", None, state.clients[slot].subscriptions());
    }
    for pattern in patterns {
        if state.clients[slot].patterns.remove(&pattern) {
            state.pubsub.unsubscribe_pattern(slot, &pattern);
        }
        confirm(reply, "punsubscribe", Some(&pattern), state.clients[slot].subscriptions());
    }
    Ok(())
}

/// A RESP2 client in MULTI could not tell the confirmations from EXEC's reply.
fn refuse_inside_multi(state: &State) -> Result {
    if state.depth > 0 {
        return fail("ERR Command not allowed inside a transaction");
    }
    Ok(())
}

fn confirm(reply: &mut ReplyWriter, kind: &str, name: Option<&[u8]>, subscriptions: usize) {
    reply.push(3);
    reply.text(kind);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.integer(subscriptions as i64);
}

/// A client that goes, or is reset, listens no more.
pub(crate) fn forget_subscriptions(state: &mut State, slot: Slot) {
    let client = &mut state.clients[slot];
    for channel in std::mem::take(&mut client.channels) {
        state.pubsub.unsubscribe(slot, &channel);
    }
    for pattern in std::mem::take(&mut client.patterns) {
        state.pubsub.unsubscribe_pattern(slot, &pattern);
    }
    for channel in std::mem::take(&mut client.shard_channels) {
        state.pubsub.unsubscribe_shard(slot, &channel);
    }
}

const PUBLISH: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "publish",
        Group::PubSub,
        Arity::Exactly(3),
        "Posts a message to a channel.",
    )
    .flags(
        Flags::PUBSUB
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::FAST)
            .and(Flags::MAY_REPLICATE),
    )
    .since("2.0.0")
    .syntax("channel message"),
    run: publish,
};

/// PUBLISH channel message
fn publish(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let channel = args.bytes()?;
    let message = args.bytes()?;

    let receivers = state.pubsub.publish(&mut state.clients, channel, message);
    reply.integer(receivers as i64);
    Ok(())
}

const PUBSUB_FLAGS: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);

const CHANNELS: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "pubsub|channels",
        Group::PubSub,
        Arity::AtLeast(2),
        "Returns the active channels.",
    )
    .flags(PUBSUB_FLAGS)
    .since("2.8.0")
    .syntax("[pattern]"),
    run: channels,
};

/// PUBSUB CHANNELS [pattern]
fn channels(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let pattern = if args.is_empty() { b"*" } else { args.bytes()? };
    if !args.is_empty() {
        return crate::commands::wrong_usage("CHANNELS", "PUBSUB");
    }

    let active: Vec<&[u8]> = state
        .pubsub
        .channels()
        .map(|(channel, _)| channel)
        .filter(|channel| glob::matches(pattern, channel))
        .collect();
    reply.array(active.len());
    active.iter().for_each(|channel| reply.bulk(channel));
    Ok(())
}

const NUMSUB: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "pubsub|numsub",
        Group::PubSub,
        Arity::AtLeast(2),
        "Returns a count of subscribers to channels.",
    )
    .flags(PUBSUB_FLAGS)
    .since("2.8.0")
    .syntax("[channel [channel ...]]"),
    run: numsub,
};

/// PUBSUB NUMSUB [channel ...]
fn numsub(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let channels = args.rest();
    reply.map(channels.len());
    for channel in channels {
        reply.bulk(channel);
        reply.integer(state.pubsub.listeners(channel) as i64);
    }
    Ok(())
}

const NUMPAT: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "pubsub|numpat",
        Group::PubSub,
        Arity::Exactly(2),
        "Returns a count of unique pattern subscriptions.",
    )
    .flags(PUBSUB_FLAGS)
    .since("2.8.0"),
    run: numpat,
};

/// PUBSUB NUMPAT
fn numpat(state: &mut State, _slot: Slot, _args: Args, reply: &mut ReplyWriter) -> Result {
    reply.integer(state.pubsub.patterns() as i64);
    Ok(())
}
