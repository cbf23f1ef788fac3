use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{StreamId, tree_memory};

/// Consumers that share the entries of a stream, each entry going to one of them.
#[derive(Clone, Debug, Default)]
pub struct Group {
    last_delivered: StreamId,
    /// How many entries had been added when the last delivered one was, where that is known.
    entries_read: Option<u64>,
    /// Invariant: each is in the `pending` of the consumer that it names, and of no other.
    pending: BTreeMap<StreamId, Pending>,
    consumers: BTreeMap<Arc<[u8]>, Consumer>,
    names_len: usize,
}

/// A delivery that was not acknowledged yet.
#[derive(Clone, Debug)]
pub struct Pending {
    consumer: Arc<[u8]>,
    delivery_time_ms: u64,
    delivery_count: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Consumer {
    seen_ms: u64,
    active_ms: Option<u64>,
    pending: BTreeSet<StreamId>,
}

/// Which pending deliveries a listing shows.
#[derive(Clone, Copy, Debug)]
pub struct PendingFilter<'f> {
    pub start: StreamId,
    pub end: StreamId,
    pub consumer: Option<&'f [u8]>,
    pub idle_ms_min: u64,
}

impl Pending {
    pub fn consumer(&self) -> &[u8] {
        &self.consumer
    }

    pub fn delivery_time_ms(&self) -> u64 {
        self.delivery_time_ms
    }

    pub fn delivery_count(&self) -> u64 {
        self.delivery_count
    }

    /// A delivery dated after now (a claim may say so, or the clock went back) is not idle at all.
    pub fn idle_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.delivery_time_ms)
    }

    pub(super) fn deliver_again(&mut self, now_ms: u64) {
        self.delivery_time_ms = now_ms;
        self.delivery_count += 1;
    }
}

impl Consumer {
    /// When it last tried to read or to claim.
    pub fn seen_ms(&self) -> u64 {
        self.seen_ms
    }

    /// When it last got something.
    pub fn active_ms(&self) -> Option<u64> {
        self.active_ms
    }

    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.range(start..).copied()
    }
}

impl Group {
    pub fn new(last_delivered: StreamId, entries_read: Option<u64>) -> Group {
        Group { last_delivered, entries_read, ..Group::default() }
    }

    pub fn last_delivered(&self) -> StreamId {
        self.last_delivered
    }

    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    pub fn set_id(&mut self, last_delivered: StreamId, entries_read: Option<u64>) {
        self.last_delivered = last_delivered;
        self.entries_read = entries_read;
    }

    /// By name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (&[u8], &Consumer)> {
        self.consumers.iter().map(|(name, consumer)| (&**name, consumer))
    }

    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// Whether there was no such consumer yet.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> bool {
        let known = self.consumers.contains_key(name);
        if !known {
            self.restore_consumer(name, now_ms, None);
        }
        !known
    }

    /// Forgets a consumer with all that it has pending, and says how much that was.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        self.names_len -= name.len();
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// A consumer as it was saved.
    pub fn restore_consumer(&mut self, name: &[u8], seen_ms: u64, active_ms: Option<u64>) {
        match self.consumers.get_mut(name) {
            Some(consumer) => (consumer.seen_ms, consumer.active_ms) = (seen_ms, active_ms),
            None => {
                self.names_len += name.len();
                self.consumers
                    .insert(name.into(), Consumer { seen_ms, active_ms, pending: BTreeSet::new() });
            }
        }
    }

    /// A delivery as it was saved; false when its consumer is unknown.
    pub fn restore_pending(
        &mut self,
        id: StreamId,
        consumer: &[u8],
        time_ms: u64,
        count: u64,
    ) -> bool {
        let Some((name, _)) = self.consumers.get_key_value(consumer) else {
            return false;
        };
        let name = name.clone();
        self.assign(id, &name, time_ms, count);
        true
    }

    /// Whether it was pending.
    pub fn ack(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        self.owner(&pending.consumer).pending.remove(&id);
        true
    }

    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The smallest and the greatest id that is pending.
    pub fn pending_bounds(&self) -> Option<(StreamId, StreamId)> {
        let (&first, _) = self.pending.first_key_value()?;
        let (&last, _) = self.pending.last_key_value()?;
        Some((first, last))
    }

    pub fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    pub fn pending_matching(
        &self,
        filter: PendingFilter<'_>,
        now_ms: u64,
    ) -> impl Iterator<Item = (StreamId, &Pending)> {
        let interval = StreamId::interval(filter.start, filter.end);
        let everyones =
            filter.consumer.is_none().then(|| self.pending.range(interval).map(|(&id, p)| (id, p)));
        let ones = filter
            .consumer
            .and_then(|name| self.consumers.get(name))
            .map(|consumer| consumer.pending.range(interval).map(|&id| (id, &self.pending[&id])));
        everyones
            .into_iter()
            .flatten()
            .chain(ones.into_iter().flatten())
            .filter(move |(_, pending)| pending.idle_ms(now_ms) >= filter.idle_ms_min)
    }

    /// The consumer that takes part in a read or a claim, which makes it if need be.
    pub(super) fn meet(&mut self, name: &[u8], now_ms: u64) -> Arc<[u8]> {
        self.create_consumer(name, now_ms);
        let (name, _) =
            self.consumers.get_key_value(name).expect("it was created if it was missing");
        let name = name.clone();
        self.owner(&name).seen_ms = now_ms;
        name
    }

    pub(super) fn set_active(&mut self, name: &Arc<[u8]>, now_ms: u64) {
        self.owner(name).active_ms = Some(now_ms);
    }

    pub(super) fn advance(&mut self, last_delivered: StreamId, entries_read: Option<u64>) {
        if last_delivered > self.last_delivered {
            self.last_delivered = last_delivered;
            self.entries_read = entries_read;
        }
    }

    /// Makes the entry pending for this consumer, and for no other.
    pub(super) fn assign(
        &mut self,
        id: StreamId,
        name: &Arc<[u8]>,
        delivery_time_ms: u64,
        delivery_count: u64,
    ) {
        let pending = Pending { consumer: name.clone(), delivery_time_ms, delivery_count };
        if let Some(before) = self.pending.insert(id, pending)
            && before.consumer != *name
        {
            self.owner(&before.consumer).pending.remove(&id);
        }
        self.owner(name).pending.insert(id);
    }

    pub(super) fn pending_mut(&mut self, id: StreamId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    pub(super) fn next_pending(&self, start: StreamId) -> Option<(StreamId, &Pending)> {
        self.pending.range(start..).next().map(|(&id, pending)| (id, pending))
    }

    pub(super) fn memory(&self) -> usize {
        // Every pending id stands twice: here, and with one of the consumers.
        tree_memory::<StreamId, Pending>(self.pending.len())
            + tree_memory::<StreamId, ()>(self.pending.len())
            + tree_memory::<Arc<[u8]>, Consumer>(self.consumers.len())
            + self.names_len
    }

    pub(super) fn work(&self) -> usize {
        // Tree nodes hold some 6 to 11 elements; a consumer has its name besides.
        self.pending.len() / 4 + 2 * self.consumers.len() + 1
    }

    fn owner(&mut self, name: &[u8]) -> &mut Consumer {
        self.consumers.get_mut(name).expect("what is pending names a consumer that exists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    fn group() -> Group {
        let mut group = Group::new(StreamId::MIN, None);
        for (ms, consumer, time_ms) in
            [(1, b"ann", 100), (2, b"bob", 200), (3, b"ann", 300), (4, b"bob", 400)]
        {
            group.create_consumer(consumer, 50);
            assert!(group.restore_pending(id(ms), consumer, time_ms, 1));
        }
        group
    }

    fn listed(group: &Group, filter: PendingFilter) -> Vec<u64> {
        group.pending_matching(filter, 400).map(|(id, _)| id.ms).collect()
    }

    const ALL: PendingFilter =
        PendingFilter { start: StreamId::MIN, end: StreamId::MAX, consumer: None, idle_ms_min: 0 };

    #[test]
    fn an_acknowledged_entry_is_pending_no_more() {
        let mut group = group();
        assert!(group.ack(id(1)));
        assert!(!group.ack(id(1)));
        assert_eq!(group.pending_bounds(), Some((id(2), id(4))));
        assert_eq!(group.consumer(b"ann").map(Consumer::pending_len), Some(1));
    }

    #[test]
    fn an_entry_given_to_another_leaves_the_first_consumer() {
        let mut group = group();
        assert!(group.restore_pending(id(1), b"bob", 500, 2));
        assert_eq!(group.pending_len(), 4);
        assert_eq!(listed(&group, PendingFilter { consumer: Some(b"ann"), ..ALL }), [3]);
        assert_eq!(listed(&group, PendingFilter { consumer: Some(b"bob"), ..ALL }), [1, 2, 4]);
        assert!(!group.restore_pending(id(1), b"nobody", 500, 2));
    }

    #[test]
    fn a_listing_is_limited_by_range_consumer_and_idle_time() {
        let group = group();
        assert_eq!(listed(&group, ALL), [1, 2, 3, 4]);
        assert_eq!(listed(&group, PendingFilter { start: id(2), end: id(3), ..ALL }), [2, 3]);
        assert_eq!(listed(&group, PendingFilter { idle_ms_min: 200, ..ALL }), [1, 2]);
        assert_eq!(
            listed(&group, PendingFilter { consumer: Some(b"ann"), start: id(2), ..ALL }),
            [3]
        );
        assert!(listed(&group, PendingFilter { consumer: Some(b"nobody"), ..ALL }).is_empty());
        assert!(listed(&group, PendingFilter { start: id(3), end: id(2), ..ALL }).is_empty());
    }

    #[test]
    fn a_deleted_consumer_takes_its_pending_entries_along() {
        let mut group = group();
        assert_eq!(group.delete_consumer(b"ann"), Some(2));
        assert_eq!(group.delete_consumer(b"ann"), None);
        assert_eq!(listed(&group, ALL), [2, 4]);
    }

    #[test]
    fn consumers_are_created_once_and_listed_by_name() {
        let mut group = Group::default();
        assert!(group.create_consumer(b"bob", 1));
        assert!(group.create_consumer(b"ann", 2));
        assert!(!group.create_consumer(b"bob", 3));
        let seen: Vec<_> =
            group.consumers().map(|(name, c)| (name, c.seen_ms(), c.active_ms())).collect();
        assert_eq!(seen, [(&b"ann"[..], 2, None), (&b"bob"[..], 1, None)]);
    }
}
