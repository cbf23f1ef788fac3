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
}
