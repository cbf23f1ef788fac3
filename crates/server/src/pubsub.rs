//! Channels, patterns and who listens. Sharded channels are a world of their own, which no pattern reaches; one server is
//! one shard.

use commands::glob;
use hashbrown::HashMap;

use crate::client::Slot;
use crate::clients::Clients;

#[derive(Debug, Default)]
pub(crate) struct PubSub {
    channels: HashMap<Vec<u8>, Vec<Slot>>,
    patterns: HashMap<Vec<u8>, Vec<Slot>>,
    shard_channels: HashMap<Vec<u8>, Vec<Slot>>,
}

impl PubSub {
    pub(crate) fn subscribe(&mut self, slot: Slot, channel: &[u8]) {
        self.channels.entry(channel.to_vec()).or_default().push(slot);
    }

    pub(crate) fn unsubscribe(&mut self, slot: Slot, channel: &[u8]) {
        drop_listener(&mut self.channels, slot, channel);
    }

    pub(crate) fn subscribe_pattern(&mut self, slot: Slot, pattern: &[u8]) {
        self.patterns.entry(pattern.to_vec()).or_default().push(slot);
    }

    pub(crate) fn unsubscribe_pattern(&mut self, slot: Slot, pattern: &[u8]) {
        drop_listener(&mut self.patterns, slot, pattern);
    }

    pub(crate) fn subscribe_shard(&mut self, slot: Slot, channel: &[u8]) {
        self.shard_channels.entry(channel.to_vec()).or_default().push(slot);
    }

    pub(crate) fn unsubscribe_shard(&mut self, slot: Slot, channel: &[u8]) {
        drop_listener(&mut self.shard_channels, slot, channel);
    }

    /// Sends a message to all who listen, and says how many copies went out.
    pub(crate) fn publish(&self, clients: &mut Clients, channel: &[u8], message: &[u8]) -> usize {
        let mut receivers = 0;
        for slot in self.channels.get(channel).into_iter().flatten() {
            clients.write(*slot, |reply| {
                reply.push(3);
                reply.text("message");
                reply.bulk(channel);
                reply.bulk(message);
            });
            receivers += 1;
        }
        for (pattern, slots) in &self.patterns {
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
        let listeners = self.shard_channels.get(channel).map_or(&[][..], Vec::as_slice);
        for slot in listeners {
            clients.write(*slot, |reply| {
                reply.push(3);
                reply.text("smessage");
                reply.bulk(channel);
                reply.bulk(message);
            });
        }
        listeners.len()
    }

    pub(crate) fn shard_channels(&self) -> impl Iterator<Item = &[u8]> {
        self.shard_channels.keys().map(Vec::as_slice)
    }

    pub(crate) fn shard_listeners(&self, channel: &[u8]) -> usize {
        self.shard_channels.get(channel).map_or(0, Vec::len)
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.channels.iter().map(|(channel, slots)| (channel.as_slice(), slots.len()))
    }

    pub(crate) fn listeners(&self, channel: &[u8]) -> usize {
        self.channels.get(channel).map_or(0, Vec::len)
    }

    pub(crate) fn patterns(&self) -> usize {
        self.patterns.len()
    }
}

fn drop_listener(listeners: &mut HashMap<Vec<u8>, Vec<Slot>>, slot: Slot, name: &[u8]) {
    let Some(slots) = listeners.get_mut(name) else { return };
    slots.retain(|other| *other != slot);
    if slots.is_empty() {
        listeners.remove(name);
    }
}
