//! Channels, patterns and who listens. Sharded channels are a world of their own, which no pattern reaches; one server is
//! one shard.

use commands::glob;
use hashbrown::HashMap;

use crate::client::Slot;
use crate::clients::Clients;

/// What a client can subscribe to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscription {
    Channel,
    Pattern,
    ShardChannel,
}

impl Subscription {
    pub(crate) const ALL: [Subscription; 3] =
        [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel];
}

#[derive(Debug, Default)]
pub(crate) struct PubSub {
    channels: Listeners,
    patterns: Listeners,
    shard_channels: Listeners,
}

impl PubSub {
    pub(crate) fn listeners(&self, to: Subscription) -> &Listeners {
        match to {
            Subscription::Channel => &self.channels,
            Subscription::Pattern => &self.patterns,
            Subscription::ShardChannel => &self.shard_channels,
        }
    }

    pub(crate) fn listeners_mut(&mut self, to: Subscription) -> &mut Listeners {
        match to {
            Subscription::Channel => &mut self.channels,
            Subscription::Pattern => &mut self.patterns,
            Subscription::ShardChannel => &mut self.shard_channels,
        }
    }

    /// Sends a message to all who listen, and says how many copies went out.
    pub(crate) fn publish(&self, clients: &mut Clients, channel: &[u8], message: &[u8]) -> usize {
        let mut receivers = self.channels.send(clients, "message", channel, message);
        for (pattern, slots) in &self.patterns.by_name {
            if !glob::matches(pattern, channel) {
                continue;
            }
            for slot in slots {
                clients.write(*slot, |reply| {
                    reply.push(4);
                    reply.text("pmessage");
                    reply.bulk(pattern);
                    reply.bulk(channel);
                    reply.bulk(message);
                });
                receivers += 1;
            }
        }
        receivers
    }

    /// As [`PubSub::publish`], to a sharded channel.
    pub(crate) fn publish_shard(
        &self,
        clients: &mut Clients,
        channel: &[u8],
        message: &[u8],
    ) -> usize {
        self.shard_channels.send(clients, "smessage", channel, message)
    }
}

/// Names that somebody listens to, and who.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_name: HashMap<Vec<u8>, Vec<Slot>>,
}

impl Listeners {
    pub(crate) fn add(&mut self, slot: Slot, name: &[u8]) {
        self.by_name.entry(name.to_vec()).or_default().push(slot);
    }

    pub(crate) fn remove(&mut self, slot: Slot, name: &[u8]) {
        let Some(slots) = self.by_name.get_mut(name) else { return };
        slots.retain(|other| *other != slot);
        if slots.is_empty() {
            self.by_name.remove(name);
        }
    }

    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.by_name.keys().map(Vec::as_slice)
    }

    /// How many listen to a name.
    pub(crate) fn count(&self, name: &[u8]) -> usize {
        self.by_name.get(name).map_or(0, Vec::len)
    }

    fn send(&self, clients: &mut Clients, kind: &str, channel: &[u8], message: &[u8]) -> usize {
        let slots = self.by_name.get(channel).map_or(&[][..], Vec::as_slice);
        for slot in slots {
            clients.write(*slot, |reply| {
                reply.push(3);
                reply.text(kind);
                reply.bulk(channel);
                reply.bulk(message);
            });
        }
        slots.len()
    }
}
