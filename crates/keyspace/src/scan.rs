use crate::database::Database;
use crate::expiry::has_passed;
use crate::value::ValueRef;

impl Database<'_> {
    /// Visits about `count` keys from `cursor` on and returns the cursor to go on with; 0 begins and ends.
    ///
    /// The cursor is a position in the order of hashes, which no growth and no shrinking changes: every key that is there from
    /// beginning to end is visited, and none twice unless it was removed and came back.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], ValueRef<'_>),
    ) -> u64 {
        let now_ms = self.now_ms();
        let mut position = cursor;
        let mut seen = 0;
        while seen < count.max(1) {
            let next = self.store().table().visit(position, |entry| {
                seen += 1;
                if !entry.expiry().is_some_and(|ms| has_passed(ms, now_ms)) {
                    visit(entry.key(), entry.value());
                }
            });
            match next {
                Some(next) => position = next,
                None => return 0,
            }
        }
        position
    }

    /// Visits every key, in no particular order.
    pub fn for_each_key(&mut self, mut visit: impl FnMut(&[u8])) {
        let now_ms = self.now_ms();
        self.store().table().for_each(|entry| {
            if !entry.expiry().is_some_and(|ms| has_passed(ms, now_ms)) {
                visit(entry.key());
            }
        });
    }

    /// Visits every key with its value and its expiry, in no particular order.
    pub fn for_each_entry(&self, mut visit: impl FnMut(&[u8], ValueRef<'_>, Option<i64>)) {
        let now_ms = self.now_ms();
        self.store().table().for_each(|entry| {
            if !entry.expiry().is_some_and(|ms| has_passed(ms, now_ms)) {
                visit(entry.key(), entry.value(), entry.expiry());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::{Expiry, Keyspace, Options};

    #[test]
    fn a_scan_of_any_count_visits_each_key_once_and_skips_the_expired() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 42 });
        let mut database = keyspace.database(0);
        for n in 0..3_000_u32 {
            let expiry = if n < 1_000 { Expiry::At(10) } else { Expiry::Clear };
            database.set_int(&n.to_be_bytes(), n.into(), expiry);
        }
        keyspace.set_now(11);
        for count in [0, 1, 10, 1_000, usize::MAX] {
            let mut visits = HashMap::new();
            let (mut cursor, mut steps) = (0, 0);
            loop {
                let mut database = keyspace.database(0);
                cursor = database.scan(cursor, count, &mut |key, _| {
                    *visits.entry(key.to_vec()).or_insert(0) += 1
                });
                steps += 1;
                if cursor == 0 {
                    break;
                }
                assert!(cursor < 1 << 48);
            }
            assert!(steps > 3_000 / (count.saturating_add(20)));
            assert!(visits.len() == 2_000 && visits.values().all(|&count| count == 1));
        }
        let mut keys = 0;
        keyspace.database(0).for_each_key(|_| keys += 1);
        assert_eq!(keys, 2_000);
    }

    #[test]
    fn a_cursor_that_was_never_given_out_ends_or_goes_on_but_does_no_harm() {
        let mut keyspace = Keyspace::new(Options { databases: 1, seed: 42 });
        assert_eq!(keyspace.database(0).scan(0, 10, &mut |_, _| ()), 0);
        assert_eq!(keyspace.database(0).scan(77, 10, &mut |_, _| ()), 0);
        keyspace.database(0).set_string(b"key", b"value", Expiry::Clear);
        for cursor in [1, 1 << 47, (1 << 48) - 1, 1 << 48, u64::MAX] {
            let mut cursor = cursor;
            while cursor != 0 {
                cursor = keyspace.database(0).scan(cursor, 10, &mut |_, _| ());
            }
        }
    }
}
