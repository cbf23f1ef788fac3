//! A stream: a log of entries, and groups of consumers that read it.

mod block;
mod group;
mod id;
mod id_spec;
mod log;
mod reading;
mod varint;

use std::collections::BTreeMap;

pub use block::{BlockLimits, Entry, Fields};
pub use group::{Consumer, Group, Pending, PendingFilter};
pub use id::{BoundError, StreamId};
pub use id_spec::{IdError, IdSpec};
pub use log::{Log, Range, SetIdError, Trim, TrimPrecision};
pub use reading::{Acknowledge, AutoClaimed, Claim, Claimed, DeliveryCount, Reading};

/// A stream stays when it is empty: its last id and its groups are worth keeping.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Open to all: no group depends on which entries there are.
    pub log: Log,
    groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    pub fn len(&self) -> usize {
        self.log.len()
    }

    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// By name.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.get_mut(name)
    }

    /// Adds a group; false, and nothing changes, when there is one of that name.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        let free = !self.groups.contains_key(name);
        if free {
            self.groups.insert(name.into(), group);
        }
        free
    }

    pub fn destroy_group(&mut self, name: &[u8]) -> Option<Group> {
        self.groups.remove(name)
    }

    /// A group together with the log, for what needs both: reading and claiming.
    pub fn reading(&mut self, group: &[u8]) -> Option<Reading<'_>> {
        let group = self.groups.get_mut(group)?;
        Some(Reading { log: &self.log, group })
    }

    /// How many entries the group has yet to read, where that can be told. Below zero when the group was declared to
    /// have read more than there ever were.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.log.entries_added();
        if added == 0 {
            return Some(0);
        }
        let counted =
            group.entries_read().filter(|_| !self.log.may_have_holes_from(group.last_delivered()));
        let read = counted.or_else(|| self.log.entries_added_at(group.last_delivered()))?;
        Some(added.wrapping_sub(read).cast_signed())
    }

    /// An estimate of the bytes on the heap, whose cost grows with the number of groups alone.
    pub fn memory(&self) -> usize {
        let groups: usize =
            self.groups.iter().map(|(name, group)| name.len() + group.memory()).sum();
        self.log.memory() + groups + tree_memory::<Box<[u8]>, Group>(self.groups.len())
    }

    /// An estimate of the allocations to free.
    pub fn work(&self) -> usize {
        self.log.blocks_len() + self.groups.values().map(Group::work).sum::<usize>()
    }
}

/// What an ordered map takes for its elements: its nodes are two thirds full on average.
const fn tree_memory<K, V>(len: usize) -> usize {
    len * (size_of::<K>() + size_of::<V>()) * 3 / 2
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

    /// A xorshift generator: the same seed replays the same run.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    fn pairs(entry: Entry) -> (StreamId, Pairs) {
        (entry.id, entry.fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect())
    }

    fn some_pairs(chance: &mut Chance) -> Pairs {
        let names: &[&[u8]] = &[b"temperature", b"humidity", b"x"];
        let skipped = if chance.below(4) == 0 { chance.below(3) as usize } else { 0 };
        names[skipped..]
            .iter()
            .map(|name| (name.to_vec(), vec![b'v'; chance.below(200) as usize]))
            .collect()
    }

    fn check(stream: &Stream, model: &BTreeMap<StreamId, Pairs>, chance: &mut Chance) {
        assert_eq!(stream.len(), model.len());
        assert_eq!(stream.log.first_id(), model.keys().next().copied().unwrap_or_default());
        let (a, b) = (
            StreamId::new(chance.below(400), 0),
            StreamId::new(chance.below(400), chance.below(3)),
        );
        let (start, end) = (a.min(b), a.max(b));
        let expected: Vec<_> =
            model.range(start..=end).map(|(id, pairs)| (*id, pairs.clone())).collect();
        assert_eq!(stream.log.range(start, end).map(pairs).collect::<Vec<_>>(), expected);
        let mut reversed: Vec<_> = stream.log.range(start, end).rev().map(pairs).collect();
        reversed.reverse();
        assert_eq!(reversed, expected);
        assert_eq!(stream.log.get(a).map(pairs).map(|(_, pairs)| pairs).as_ref(), model.get(&a));
    }

    #[test]
    fn a_log_holds_what_an_ordered_map_would() {
        for seed in 1..=20 {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let limits =
                BlockLimits { entries_max: 1 + chance.below(12) as usize, bytes_max: 1000 };
            let mut stream = Stream::default();
            let mut model = BTreeMap::new();
            for _ in 0..600 {
                match chance.below(10) {
                    0..6 => {
                        let spec = match chance.below(3) {
                            0 => IdSpec::Auto,
                            1 => IdSpec::AutoSeq(chance.below(400)),
                            _ => {
                                IdSpec::Explicit(StreamId::new(chance.below(400), chance.below(3)))
                            }
                        };
                        let fields = some_pairs(&mut chance);
                        let now_ms = stream.log.last_id().ms.saturating_sub(1) + chance.below(3);
                        let last = stream.log.last_id();
                        let given = fields.iter().map(|(name, value)| (&name[..], &value[..]));
                        if let Ok(id) = stream.log.append(spec, now_ms, limits, given) {
                            assert!(id > last);
                            model.insert(id, fields);
                        }
                    }
                    6..9 => {
                        let index = chance.below(model.len() as u64 + 1) as usize;
                        let id = model
                            .keys()
                            .nth(index)
                            .copied()
                            .unwrap_or(StreamId::new(chance.below(400), 9));
                        assert_eq!(stream.log.delete(id), model.remove(&id).is_some());
                    }
                    _ if chance.below(2) == 0 => {
                        let len = model.len().saturating_sub(chance.below(8) as usize);
                        let excess = model.len() - len;
                        assert_eq!(
                            stream.log.trim(Trim::MaxLen(len), TrimPrecision::Exact),
                            excess
                        );
                        (0..excess).for_each(|_| drop(model.pop_first()));
                    }
                    _ => {
                        let min = model.keys().nth(5).copied().unwrap_or_default();
                        let before = model.len();
                        model.retain(|id, _| *id >= min);
                        assert_eq!(
                            stream.log.trim(Trim::MinId(min), TrimPrecision::Exact),
                            before - model.len()
                        );
                    }
                }
                check(&stream, &model, &mut chance);
            }
            stream.log.trim(Trim::MaxLen(0), TrimPrecision::Exact);
            assert_eq!(stream.memory(), 0);
        }
    }

    #[test]
    fn every_pending_entry_has_one_owner_whatever_happens() {
        const NAMES: [&[u8]; 3] = [b"ann", b"bob", b"cat"];
        for seed in 1..=20 {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let limits = BlockLimits { entries_max: 4, bytes_max: 0 };
            let mut stream = Stream::default();
            stream.create_group(b"group", Group::default());
            // The owners by entry, and the entries that are there.
            let mut owners: BTreeMap<StreamId, &[u8]> = BTreeMap::new();
            let mut there: BTreeSet<StreamId> = BTreeSet::new();
            for now_ms in 1..600 {
                let name = NAMES[chance.below(3) as usize];
                let some_id = StreamId::new(1 + chance.below(now_ms), 0);
                match chance.below(8) {
                    0..3 => {
                        let fields = [(&b"name"[..], &b"value"[..])];
                        let id =
                            stream.log.append(IdSpec::Auto, now_ms, limits, fields.into_iter());
                        there.insert(id.expect("the clock only goes on"));
                    }
                    3 => {
                        let group = stream.group(b"group").expect("it was created");
                        let after = group.last_delivered().next().expect("the ids are small");
                        let expected: Vec<_> = there.range(after..).take(3).copied().collect();
                        let reading = stream.reading(b"group").expect("it was created");
                        let read = reading.read_new(name, 3, Acknowledge::Later, now_ms);
                        assert_eq!(read.map(|entry| entry.id).collect::<Vec<_>>(), expected);
                        owners.extend(expected.into_iter().map(|id| (id, name)));
                    }
                    4 => {
                        let group = stream.group_mut(b"group").expect("it was created");
                        assert_eq!(group.ack(some_id), owners.remove(&some_id).is_some());
                    }
                    5 => assert_eq!(stream.log.delete(some_id), there.remove(&some_id)),
                    6 => {
                        let reading = stream.reading(b"group").expect("it was created");
                        let auto =
                            reading.auto_claim(name, 0, some_id, 3, DeliveryCount::Keep, now_ms);
                        let seen: Vec<_> =
                            owners.range(some_id..).take(3).map(|(id, _)| *id).collect();
                        let (here, gone): (Vec<_>, Vec<_>) =
                            seen.into_iter().partition(|id| there.contains(id));
                        assert_eq!(
                            auto.claimed.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
                            here
                        );
                        assert_eq!(auto.claimed.deleted, gone);
                        owners.retain(|id, _| !gone.contains(id));
                        owners.extend(here.into_iter().map(|id| (id, name)));
                    }
                    _ if chance.below(4) == 0 => {
                        let group = stream.group_mut(b"group").expect("it was created");
                        let lost = group.delete_consumer(name).unwrap_or(0);
                        let before = owners.len();
                        owners.retain(|_, owner| *owner != name);
                        assert_eq!(before - owners.len(), lost);
                    }
                    _ => {}
                }
                let group = stream.group(b"group").expect("it was created");
                for name in NAMES {
                    let held = group
                        .consumer(name)
                        .map(|c| c.pending_from(StreamId::MIN).collect::<Vec<_>>());
                    let owned: Vec<_> =
                        owners.iter().filter(|(_, o)| **o == name).map(|(id, _)| *id).collect();
                    assert_eq!(held.unwrap_or_default(), owned);
                }
                assert_eq!(group.pending_len(), owners.len());
                assert!(owners.iter().all(|(id, owner)| group.pending(*id).map(Pending::consumer) == Some(owner)));
            }
        }
    }

    #[test]
    fn groups_have_names_of_their_own() {
        let mut stream = Stream::default();
        assert!(stream.create_group(b"b", Group::new(StreamId::MIN, None)));
        assert!(stream.create_group(b"a", Group::new(StreamId::MIN, None)));
        assert!(!stream.create_group(b"b", Group::new(StreamId::MAX, None)));
        assert_eq!(stream.groups().map(|(name, _)| name).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(stream.group(b"b").map(Group::last_delivered), Some(StreamId::MIN));
        assert!(stream.destroy_group(b"b").is_some());
        assert!(stream.destroy_group(b"b").is_none());
    }

    #[test]
    fn an_entry_of_64_bytes_takes_less_than_80() {
        let mut stream = Stream::default();
        let value = [b'v'; 64];
        for now_ms in 0..10_000 {
            let fields = [(&b"field"[..], &value[..])];
            let added = stream.log.append(
                IdSpec::Auto,
                now_ms + 1,
                BlockLimits::default(),
                fields.into_iter(),
            );
            assert!(added.is_ok());
        }
        assert!(stream.memory() / stream.len() < 80, "{} bytes", stream.memory() / stream.len());
        assert!(stream.work() < 200);
    }
}
