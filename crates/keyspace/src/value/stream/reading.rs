use std::sync::Arc;

use super::{Entry, Group, Log, Range, StreamId};

/// A group at work on the log that it belongs to.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(super) log: &'a Log,
    pub(super) group: &'a mut Group,
}

/// Whether entries that are read stay pending until they are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    Later,
    /// NOACK
    Never,
}

/// What a claim does to the number of times that an entry was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryCount {
    Increment,
    /// JUSTID
    Keep,
    /// RETRYCOUNT
    Set(u64),
}

/// XCLAIM, but for what it claims.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub idle_ms_min: u64,
    /// TIME, or now less IDLE. One that is not in the past counts as now, as it does without.
    pub delivery_time_ms: Option<i64>,
    pub delivery_count: DeliveryCount,
    /// FORCE: entries that are not pending become so.
    pub force: bool,
    /// LASTID
    pub last_id: Option<StreamId>,
}

/// What a claim brought.
#[derive(Clone, Debug)]
pub struct Claimed<'a> {
    pub entries: Vec<Entry<'a>>,
    /// Pending no more, because their entries are gone.
    pub deleted: Vec<StreamId>,
}

#[derive(Clone, Debug)]
pub struct AutoClaimed<'a> {
    /// Where the next one has to start; 0-0 when all were seen.
    pub next: StreamId,
    pub claimed: Claimed<'a>,
}

impl<'a> Reading<'a> {
    /// Whether the group has this consumer before it reads or claims.
    pub fn knows(&self, consumer: &[u8]) -> bool {
        self.group.consumer(consumer).is_some()
    }

    /// `>`: the next entries that nobody in the group has got.
    pub fn read_new(
        self,
        consumer: &[u8],
        count: usize,
        acknowledge: Acknowledge,
        now_ms: u64,
    ) -> Range<'a> {
        let Reading { log, group } = self;
        let consumer = group.meet(consumer, now_ms);
        let Some(start) = group.last_delivered().next() else {
            return log.range(StreamId::MAX, StreamId::MIN);
        };
        let mut end = StreamId::MIN;
        for entry in log.range(start, StreamId::MAX).take(count) {
            group.advance(entry.id, entries_read_after(log, group, entry.id));
            if acknowledge == Acknowledge::Later {
                group.assign(entry.id, &consumer, now_ms, 1);
            }
            end = entry.id;
        }
        if end >= start && acknowledge == Acknowledge::Later {
            group.set_active(&consumer, now_ms);
        }
        log.range(start, end)
    }

    /// What is pending for the consumer after an id, each with its entry if that is still there.
    pub fn read_history(
        self,
        consumer: &[u8],
        after: StreamId,
        count: usize,
        now_ms: u64,
    ) -> Vec<(StreamId, Option<Entry<'a>>)> {
        let Reading { log, group } = self;
        let name = group.meet(consumer, now_ms);
        let Some(start) = after.next() else { return Vec::new() };
        let consumer = group.consumer(&name).expect("it was just met");
        let ids: Vec<StreamId> = consumer.pending_from(start).take(count).collect();
        ids.into_iter()
            .map(|id| {
                let entry = log.get(id);
                if entry.is_some() {
                    group
                        .pending_mut(id)
                        .expect("its consumer has it pending")
                        .deliver_again(now_ms);
                }
                (id, entry)
            })
            .collect()
    }

    pub fn claim(
        self,
        consumer: &[u8],
        ids: impl IntoIterator<Item = StreamId>,
        claim: &Claim,
        now_ms: u64,
    ) -> Claimed<'a> {
        let Reading { log, group } = self;
        if let Some(last_id) = claim.last_id {
            group.advance(last_id, group.entries_read());
        }
        let mut claimant = Claimant::new(log, group, consumer, claim.delivery_count, now_ms);
        claimant.delivery_time_ms = claim
            .delivery_time_ms
            .and_then(|time| u64::try_from(time).ok())
            .map_or(now_ms, |time| time.min(now_ms));

        for id in ids {
            let Some(entry) = claimant.find(id) else { continue };
            match claimant.group.pending(id) {
                Some(pending) if pending.idle_ms(now_ms) < claim.idle_ms_min => {}
                None if !claim.force => {}
                _ => claimant.take(entry),
            }
        }
        claimant.finish()
    }

    /// Claims the next `count` that have been idle for long enough.
    pub fn auto_claim(
        self,
        consumer: &[u8],
        idle_ms_min: u64,
        start: StreamId,
        count: usize,
        delivery_count: DeliveryCount,
        now_ms: u64,
    ) -> AutoClaimed<'a> {
        /// How many are looked at for each that may be claimed, so that a long list of busy ones does not hold up others.
        const LOOKS_PER_CLAIM: usize = 10;

        let Reading { log, group } = self;
        let mut claimant = Claimant::new(log, group, consumer, delivery_count, now_ms);
        let mut at = Some(start);
        let mut left = count;
        for _ in 0..count.saturating_mul(LOOKS_PER_CLAIM) {
            if left == 0 {
                break;
            }
            let Some((id, pending)) = at.and_then(|at| claimant.group.next_pending(at)) else {
                break;
            };
            let idle_ms = pending.idle_ms(now_ms);
            at = id.next();
            match claimant.find(id) {
                None => left -= 1,
                Some(entry) if idle_ms >= idle_ms_min => {
                    claimant.take(entry);
                    left -= 1;
                }
                Some(_) => {}
            }
        }
        let next =
            at.and_then(|at| claimant.group.next_pending(at)).map_or(StreamId::MIN, |(id, _)| id);
        AutoClaimed { next, claimed: claimant.finish() }
    }
}

/// The group's counter once it has read `id`, which is the next entry.
fn entries_read_after(log: &Log, group: &Group, id: StreamId) -> Option<u64> {
    match group.entries_read() {
        Some(read) if !log.may_have_holes_from(id) => Some(read + 1),
        _ => log.entries_added_at(id),
    }
}

/// A consumer on the way to more entries.
struct Claimant<'a> {
    log: &'a Log,
    group: &'a mut Group,
    name: Arc<[u8]>,
    delivery_time_ms: u64,
    delivery_count: DeliveryCount,
    now_ms: u64,
    claimed: Claimed<'a>,
}

impl<'a> Claimant<'a> {
    fn new(
        log: &'a Log,
        group: &'a mut Group,
        consumer: &[u8],
        delivery_count: DeliveryCount,
        now_ms: u64,
    ) -> Claimant<'a> {
        let name = group.meet(consumer, now_ms);
        let claimed = Claimed { entries: Vec::new(), deleted: Vec::new() };
        Claimant { log, group, name, delivery_time_ms: now_ms, delivery_count, now_ms, claimed }
    }

    /// The entry, if it is there; if not, it cannot stay pending.
    fn find(&mut self, id: StreamId) -> Option<Entry<'a>> {
        let entry = self.log.get(id);
        if entry.is_none() && self.group.ack(id) {
            self.claimed.deleted.push(id);
        }
        entry
    }

    fn take(&mut self, entry: Entry<'a>) {
        // One that was not pending counts as delivered once before this claim, as it does in Redis.
        let before = self.group.pending(entry.id).map_or(1, |pending| pending.delivery_count());
        let count = match self.delivery_count {
            DeliveryCount::Increment => before + 1,
            DeliveryCount::Keep => before,
            DeliveryCount::Set(count) => count,
        };
        self.group.assign(entry.id, &self.name, self.delivery_time_ms, count);
        self.claimed.entries.push(entry);
    }

    fn finish(self) -> Claimed<'a> {
        if !self.claimed.entries.is_empty() {
            self.group.set_active(&self.name, self.now_ms);
        }
        self.claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::stream::{BlockLimits, IdSpec, PendingFilter, Stream, Trim, TrimPrecision};

    const NOW: u64 = 1000;
    const CLAIM: Claim = Claim {
        idle_ms_min: 0,
        delivery_time_ms: None,
        delivery_count: DeliveryCount::Increment,
        force: false,
        last_id: None,
    };

    fn id(ms: u64) -> StreamId {
        StreamId::new(ms, 0)
    }

    fn add(stream: &mut Stream, ms: u64) {
        let limits = BlockLimits { entries_max: 3, bytes_max: 0 };
        let fields = [(&b"name"[..], &b"value"[..])];
        stream
            .log
            .append(IdSpec::Explicit(id(ms)), NOW, limits, fields.into_iter())
            .expect("ids grow");
    }

    /// Entries 1 to `count`, and a group that has read none of them.
    fn stream_of(count: u64) -> Stream {
        let mut stream = Stream::default();
        (1..=count).for_each(|ms| add(&mut stream, ms));
        assert!(stream.create_group(b"group", Group::new(StreamId::MIN, None)));
        stream
    }

    fn reading(stream: &mut Stream) -> Reading<'_> {
        stream.reading(b"group").expect("it was created")
    }

    fn group(stream: &Stream) -> &Group {
        stream.group(b"group").expect("it was created")
    }

    fn read(stream: &mut Stream, consumer: &[u8], count: usize) -> Vec<u64> {
        reading(stream)
            .read_new(consumer, count, Acknowledge::Later, NOW)
            .map(|entry| entry.id.ms)
            .collect()
    }

    fn history(stream: &mut Stream, consumer: &[u8], after: u64) -> Vec<(u64, bool)> {
        let history = reading(stream).read_history(consumer, id(after), usize::MAX, NOW);
        history.into_iter().map(|(id, entry)| (id.ms, entry.is_some())).collect()
    }

    fn ms(ids: &[StreamId]) -> Vec<u64> {
        ids.iter().map(|id| id.ms).collect()
    }

    fn claimed_ms(claimed: &Claimed) -> Vec<u64> {
        claimed.entries.iter().map(|entry| entry.id.ms).collect()
    }

    fn pending(stream: &Stream) -> Vec<(u64, &[u8], u64, u64)> {
        let all = PendingFilter {
            start: StreamId::MIN,
            end: StreamId::MAX,
            consumer: None,
            idle_ms_min: 0,
        };
        let rows = group(stream).pending_matching(all, NOW);
        rows.map(|(id, row)| (id.ms, row.consumer(), row.delivery_time_ms(), row.delivery_count()))
            .collect()
    }

    #[test]
    fn each_entry_goes_to_one_consumer() {
        let mut stream = stream_of(5);
        assert_eq!(read(&mut stream, b"ann", 2), [1, 2]);
        assert_eq!(read(&mut stream, b"bob", usize::MAX), [3, 4, 5]);
        assert!(read(&mut stream, b"ann", 2).is_empty());
        assert_eq!(group(&stream).last_delivered(), id(5));
        assert_eq!(history(&mut stream, b"ann", 0), [(1, true), (2, true)]);
        assert_eq!(history(&mut stream, b"bob", 3), [(4, true), (5, true)]);
    }

    #[test]
    fn without_acknowledgement_nothing_stays_pending() {
        let mut stream = stream_of(3);
        let read = reading(&mut stream).read_new(b"ann", 2, Acknowledge::Never, NOW).count();
        assert_eq!(read, 2);
        assert_eq!(group(&stream).pending_len(), 0);
        assert_eq!(group(&stream).last_delivered(), id(2));
    }

    #[test]
    fn an_entry_delivered_anew_after_a_reset_changes_hands() {
        let mut stream = stream_of(2);
        read(&mut stream, b"ann", 2);
        stream.group_mut(b"group").expect("it was created").set_id(StreamId::MIN, None);
        read(&mut stream, b"bob", 1);
        assert_eq!(pending(&stream), [(1, &b"bob"[..], NOW, 1), (2, b"ann", NOW, 1)]);
    }

    #[test]
    fn nothing_follows_the_greatest_id() {
        let mut stream = Stream::default();
        let fields = [(&b"name"[..], &b"value"[..])];
        let last = IdSpec::Explicit(StreamId::MAX);
        stream
            .log
            .append(last, NOW, BlockLimits::default(), fields.into_iter())
            .expect("the log is empty");
        stream.create_group(b"group", Group::default());
        assert_eq!(read(&mut stream, b"ann", 1), [u64::MAX]);
        assert!(read(&mut stream, b"ann", 1).is_empty());
        assert!(reading(&mut stream).read_history(b"ann", StreamId::MAX, 1, NOW).is_empty());
    }

    #[test]
    fn history_tells_what_is_gone_and_counts_what_is_not() {
        let mut stream = stream_of(3);
        read(&mut stream, b"ann", 3);
        stream.log.delete(id(2));
        assert_eq!(history(&mut stream, b"ann", 0), [(1, true), (2, false), (3, true)]);
        let counts: Vec<u64> = pending(&stream).iter().map(|row| row.3).collect();
        assert_eq!(counts, [2, 1, 2]);
    }

    #[test]
    fn a_consumer_that_gets_nothing_was_seen_but_not_active() {
        let mut stream = stream_of(0);
        read(&mut stream, b"ann", 1);
        let ann = group(&stream).consumer(b"ann").expect("reading created it");
        assert_eq!((ann.seen_ms(), ann.active_ms()), (NOW, None));
        add(&mut stream, 1);
        read(&mut stream, b"ann", 1);
        assert_eq!(group(&stream).consumer(b"ann").and_then(|ann| ann.active_ms()), Some(NOW));
    }

    #[test]
    fn a_claim_moves_what_has_been_idle_for_long_enough() {
        let mut stream = stream_of(3);
        read(&mut stream, b"ann", 2);
        let too_early = Claim { idle_ms_min: 10, ..CLAIM };
        assert!(
            reading(&mut stream).claim(b"bob", [id(1)], &too_early, NOW + 9).entries.is_empty()
        );
        let claimed =
            reading(&mut stream).claim(b"bob", [id(1), id(3), id(9)], &too_early, NOW + 10);
        assert_eq!(claimed_ms(&claimed), [1]);
        assert_eq!(pending(&stream), [(1, &b"bob"[..], NOW + 10, 2), (2, b"ann", NOW, 1)]);
    }

    #[test]
    fn a_claim_may_set_time_and_count_itself() {
        let mut stream = stream_of(3);
        read(&mut stream, b"ann", 3);
        let at =
            |time, count| Claim { delivery_time_ms: Some(time), delivery_count: count, ..CLAIM };
        reading(&mut stream).claim(b"ann", [id(1)], &at(400, DeliveryCount::Keep), NOW);
        reading(&mut stream).claim(b"ann", [id(2)], &at(-1, DeliveryCount::Set(7)), NOW);
        reading(&mut stream).claim(b"ann", [id(3)], &at(i64::MAX, DeliveryCount::Increment), NOW);
        assert_eq!(
            pending(&stream),
            [(1, &b"ann"[..], 400, 1), (2, b"ann", NOW, 7), (3, b"ann", NOW, 2)]
        );
    }

    #[test]
    fn a_forced_claim_takes_what_nobody_had() {
        let mut stream = stream_of(3);
        let force = Claim { force: true, idle_ms_min: 100, last_id: Some(id(2)), ..CLAIM };
        let claimed = reading(&mut stream).claim(b"ann", [id(1), id(9)], &force, NOW);
        assert_eq!((claimed_ms(&claimed), ms(&claimed.deleted)), (vec![1], vec![]));
        assert_eq!(pending(&stream), [(1, &b"ann"[..], NOW, 2)]);
        assert_eq!(group(&stream).last_delivered(), id(2));
    }

    #[test]
    fn a_claim_of_a_deleted_entry_clears_it() {
        let mut stream = stream_of(2);
        read(&mut stream, b"ann", 2);
        stream.log.delete(id(1));
        let claimed = reading(&mut stream).claim(b"bob", [id(1), id(2)], &CLAIM, NOW);
        assert_eq!((claimed_ms(&claimed), ms(&claimed.deleted)), (vec![2], vec![1]));
        assert_eq!(pending(&stream), [(2, &b"bob"[..], NOW, 2)]);
    }

    #[test]
    fn an_automatic_claim_hands_back_where_to_go_on() {
        let mut stream = stream_of(5);
        read(&mut stream, b"ann", 5);
        stream.log.delete(id(2));
        let mut claim = |start, count| {
            let auto = reading(&mut stream).auto_claim(
                b"bob",
                0,
                start,
                count,
                DeliveryCount::Increment,
                NOW,
            );
            (auto.next.ms, claimed_ms(&auto.claimed), ms(&auto.claimed.deleted))
        };
        assert_eq!(claim(StreamId::MIN, 2), (3, vec![1], vec![2]));
        assert_eq!(claim(id(3), 2), (5, vec![3, 4], vec![]));
        assert_eq!(claim(id(5), 2), (0, vec![5], vec![]));
        assert_eq!(claim(id(6), 2), (0, vec![], vec![]));
    }

    #[test]
    fn an_automatic_claim_gives_up_on_a_long_list_of_busy_entries() {
        let mut stream = stream_of(25);
        read(&mut stream, b"ann", 25);
        let auto =
            reading(&mut stream).auto_claim(b"bob", 1, StreamId::MIN, 2, DeliveryCount::Keep, NOW);
        assert!(auto.claimed.entries.is_empty());
        assert_eq!(auto.next, id(21));
    }

    #[test]
    fn the_lag_counts_down_with_reading() {
        let mut stream = stream_of(5);
        assert_eq!(stream.lag(group(&stream)), Some(5));
        read(&mut stream, b"ann", 2);
        assert_eq!((group(&stream).entries_read(), stream.lag(group(&stream))), (Some(2), Some(3)));
        stream.log.trim(Trim::MaxLen(4), TrimPrecision::Exact);
        assert_eq!(stream.lag(group(&stream)), Some(3));
        read(&mut stream, b"ann", 5);
        assert_eq!((group(&stream).entries_read(), stream.lag(group(&stream))), (Some(5), Some(0)));
    }

    #[test]
    fn the_lag_is_unknown_past_a_deleted_entry_until_the_end_is_reached() {
        let mut stream = stream_of(5);
        read(&mut stream, b"ann", 1);
        stream.log.delete(id(3));
        assert_eq!(stream.lag(group(&stream)), None);
        read(&mut stream, b"ann", 1);
        assert_eq!((group(&stream).entries_read(), stream.lag(group(&stream))), (None, None));
        read(&mut stream, b"ann", 5);
        assert_eq!((group(&stream).entries_read(), stream.lag(group(&stream))), (Some(5), Some(0)));
    }

    #[test]
    fn a_group_that_starts_in_the_middle_does_not_know_its_lag() {
        let mut stream = stream_of(5);
        stream.create_group(b"middle", Group::new(id(3), None));
        stream.create_group(b"counted", Group::new(id(3), Some(3)));
        stream.create_group(b"beyond", Group::new(id(3), Some(7)));
        let lag = |name: &[u8]| stream.lag(stream.group(name).expect("it was created"));
        assert_eq!((lag(b"middle"), lag(b"counted"), lag(b"beyond")), (None, Some(2), Some(-2)));
    }
}
