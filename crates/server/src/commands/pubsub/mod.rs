//! SUBSCRIBE and its kin, PUBLISH, PUBSUB.

mod sharded;

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::{Result, glob};
use resp::ReplyWriter;

use crate::client::Slot;
use crate::commands::fail;
use crate::pubsub::{Listeners, Subscription};
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
    run: |state, slot, args, reply| {
        refuse_inside_multi(state)?;
        subscribe(state, slot, args, reply, Subscription::Channel)
    },
};

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
    run: |state, slot, args, reply| unsubscribe(state, slot, args, reply, Subscription::Channel),
};

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
    run: |state, slot, args, reply| {
        refuse_inside_multi(state)?;
        subscribe(state, slot, args, reply, Subscription::Pattern)
    },
};

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
    run: |state, slot, args, reply| unsubscribe(state, slot, args, reply, Subscription::Pattern),
};

/// A RESP2 client in MULTI could not tell the confirmations from EXEC's reply.
fn refuse_inside_multi(state: &State) -> Result {
    if state.depth > 0 {
        return fail("ERR Command not allowed inside a transaction");
    }
    Ok(())
}

/// SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE name [name ...]
fn subscribe(
    state: &mut State,
    slot: Slot,
    mut args: Args,
    reply: &mut ReplyWriter,
    to: Subscription,
) -> Result {
    let kind = match to {
        Subscription::Channel => "subscribe",
        Subscription::Pattern => "psubscribe",
        Subscription::ShardChannel => "ssubscribe",
    };
    for name in args.rest() {
        let client = &mut state.clients[slot];
        if client.subscribed(to).insert(name.to_vec()) {
            state.pubsub.listeners_mut(to).add(slot, name);
        }
        confirm(reply, kind, Some(name), client.subscriptions(to));
    }
    Ok(())
}

/// UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE [name ...]
fn unsubscribe(
    state: &mut State,
    slot: Slot,
    mut args: Args,
    reply: &mut ReplyWriter,
    from: Subscription,
) -> Result {
    let kind = match from {
        Subscription::Channel => "unsubscribe",
        Subscription::Pattern => "punsubscribe",
        Subscription::ShardChannel => "sunsubscribe",
    };
    let client = &mut state.clients[slot];
    let mut names: Vec<Vec<u8>> = args.rest().iter().map(|name| name.to_vec()).collect();
    if names.is_empty() {
        names = client.subscribed(from).iter().cloned().collect();
    }
    if names.is_empty() {
        confirm(reply, kind, None, client.subscriptions(from));
    }
    for name in names {
        if client.subscribed(from).remove(&name) {
            state.pubsub.listeners_mut(from).remove(slot, &name);
        }
        confirm(reply, kind, Some(&name), client.subscriptions(from));
    }
    Ok(())
}

fn confirm(reply: &mut ReplyWriter, kind: &str, name: Option<&[u8]>, subscriptions: usize) {
    reply.push(3);
    reply.text(kind);
    reply.bulk_or_null(name);
    reply.integer(subscriptions as i64);
}

/// A client that goes, or is reset, listens no more.
pub(crate) fn forget_subscriptions(state: &mut State, slot: Slot) {
    for from in Subscription::ALL {
        for name in std::mem::take(state.clients[slot].subscribed(from)) {
            state.pubsub.listeners_mut(from).remove(slot, &name);
        }
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

    write_active(reply, state.pubsub.listeners(Subscription::Channel), pattern);
    Ok(())
}

fn write_active(reply: &mut ReplyWriter, listeners: &Listeners, pattern: &[u8]) {
    let active: Vec<&[u8]> =
        listeners.names().filter(|name| glob::matches(pattern, name)).collect();
    reply.array(active.len());
    active.iter().for_each(|name| reply.bulk(name));
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
    run: |state, _slot, args, reply| {
        write_counts(reply, state.pubsub.listeners(Subscription::Channel), args)
    },
};

/// PUBSUB NUMSUB, SHARDNUMSUB [channel ...]
fn write_counts(reply: &mut ReplyWriter, listeners: &Listeners, mut args: Args) -> Result {
    let channels = args.rest();

    reply.map(channels.len());
    for channel in channels {
        reply.bulk(channel);
        reply.integer(listeners.count(channel) as i64);
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
    reply.integer(state.pubsub.listeners(Subscription::Pattern).names().len() as i64);
    Ok(())
}
