//! Sets, and what can be asked of several of them.

mod algebra;
mod integers;

use std::ops::Deref;

pub use self::algebra::{difference, intersection, union};
use self::integers::Integers;
use super::Limits;
use super::decimal::{self, Decimal};
use super::hash_table::{HashTable, Lookup};
use super::packed::{Items, PACKED_SIZE_MAX, Packed, Place};
use super::sample;

/// Different members: sorted integers while all are integers, packed while few and short, else a hash table.
#[derive(Clone, Debug, Default)]
pub struct Set {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Integers(Integers),
    Packed(Packed),
    Table(Box<HashTable<Box<[u8]>>>),
}

impl Default for Form {
    fn default() -> Self {
        Form::Integers(Integers::default())
    }
}

/// A member as bytes, which it derefs to. An integer keeps its number, which another set of integers finds sooner.
#[derive(Clone, Copy, Debug)]
pub enum Member<'a> {
    Bytes(&'a [u8]),
    Integer(i64, Decimal),
}

impl Deref for Member<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Member::Bytes(bytes) => bytes,
            Member::Integer(_, text) => text,
        }
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl From<i64> for Member<'_> {
    fn from(integer: i64) -> Self {
        Member::Integer(integer, integer.into())
    }
}

impl Set {
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.len(),
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Integers(_) => "intset",
            Form::Packed(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// Whether it is kept as integers; one that ever had another member is not.
    pub fn is_all_integers(&self) -> bool {
        matches!(self.form, Form::Integers(_))
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.form {
            Form::Integers(integers) => {
                decimal::parse(member).is_some_and(|integer| integers.contains(integer))
            }
            Form::Packed(packed) => find(packed, member).is_some(),
            Form::Table(table) => table.find(member).is_some(),
        }
    }

    /// Returns whether the member is new.
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        let is_new = match &mut self.form {
            Form::Integers(integers) => match decimal::parse(member) {
                Some(integer) if limits.set_max_intset_entries > 0 => integers.insert(integer),
                _ => {
                    self.give_up_integers(limits);
                    return self.add(member, limits);
                }
            },
            Form::Packed(packed) => {
                if find(packed, member).is_some() {
                    return false;
                }
                let is_full = packed.len() >= limits.set_max_listpack_entries
                    || packed.size() > PACKED_SIZE_MAX;
                if is_full || member.len() > limits.set_max_listpack_value {
                    self.spread();
                    return self.add(member, limits);
                }
                packed.push_back(member);
                true
            }
            Form::Table(table) => add_to_table(table, member),
        };
        if self.is_all_integers() && self.len() > limits.set_max_intset_entries {
            self.spread();
        }
        is_new
    }

    /// Returns whether the member was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Integers(integers) => {
                decimal::parse(member).is_some_and(|integer| integers.remove(integer))
            }
            Form::Packed(packed) => {
                let Some(place) = find(packed, member) else { return false };
                packed.remove(place, 1);
                true
            }
            Form::Table(table) => {
                let Some(position) = table.find(member) else { return false };
                table.remove(position);
                true
            }
        }
    }

    /// Integers ascend; what is packed comes in the order it came.
    pub fn iter(&self) -> Iter<'_> {
        let packed = match &self.form {
            Form::Packed(packed) => Some(packed.items()),
            _ => None,
        };
        Iter { set: self, next: 0, packed }
    }

    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<Member<'_>> {
        if self.is_empty() {
            return None;
        }
        Some(self.at(sample::below(self.len(), random)))
    }

    /// `count` different members, or all.
    pub fn random_distinct(
        &self,
        count: usize,
        random: &mut dyn FnMut() -> u64,
    ) -> Vec<Member<'_>> {
        sample::distinct(self.len(), count, random)
            .into_iter()
            .map(|index| self.at(index))
            .collect()
    }

    /// Removes a random member and returns it.
    pub fn pop(&mut self, random: &mut dyn FnMut() -> u64) -> Option<Box<[u8]>> {
        if self.is_empty() {
            return None;
        }
        let index = sample::below(self.len(), random);
        if let Form::Table(table) = &mut self.form {
            return Some(table.remove(index));
        }
        let member: Box<[u8]> = (*self.at(index)).into();
        self.remove(&member);
        Some(member)
    }

    /// Visits about `count` members from a cursor and returns the next one; 0 begins and ends. A small set is visited
    /// whole. A member that is there from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        if let Form::Table(table) = &self.form {
            return table.scan(cursor, count, |member| visit(member));
        }
        self.iter().for_each(|member| visit(&member));
        0
    }

    /// An estimate of its bytes.
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.memory(),
            Form::Packed(packed) => packed.memory(),
            Form::Table(table) => size_of_val(&**table) + table.memory(),
        }
    }

    /// How many allocations end with it.
    pub fn work(&self) -> usize {
        match &self.form {
            Form::Integers(_) | Form::Packed(_) => 1,
            Form::Table(table) => 1 + table.work(),
        }
    }

    fn contains_member(&self, member: &Member<'_>) -> bool {
        match (&self.form, member) {
            (Form::Integers(integers), Member::Integer(integer, _)) => integers.contains(*integer),
            _ => self.contains(member),
        }
    }

    fn at(&self, index: usize) -> Member<'_> {
        match &self.form {
            Form::Integers(integers) => integers.get(index).into(),
            Form::Packed(packed) => Member::Bytes(packed.read(packed.place(index)).0),
            Form::Table(table) => Member::Bytes(table.at(index)),
        }
    }

    /// Makes room for a member that is no integer.
    fn give_up_integers(&mut self, limits: &Limits) {
        let fits = self.len() < limits.set_max_listpack_entries
            && self.iter().all(|member| member.len() <= limits.set_max_listpack_value);
        if !fits {
            return self.spread();
        }
        let mut packed = Packed::default();
        self.iter().for_each(|member| packed.push_back(&member));
        self.form = Form::Packed(packed);
    }

    /// Takes the big form, for good.
    fn spread(&mut self) {
        let mut table = HashTable::default();
        for member in self.iter() {
            add_to_table(&mut table, &member);
        }
        self.form = Form::Table(Box::new(table));
    }
}

#[derive(Clone, Debug)]
pub struct Iter<'a> {
    set: &'a Set,
    next: usize,
    packed: Option<Items<'a>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        if self.next == self.set.len() {
            return None;
        }
        self.next += 1;
        match &mut self.packed {
            Some(items) => Some(Member::Bytes(items.next()?)),
            None => Some(self.set.at(self.next - 1)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.set.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

fn find(packed: &Packed, member: &[u8]) -> Option<Place> {
    let (place, _) = packed.places().find(|&(_, item)| item == member)?;
    Some(place)
}

fn add_to_table(table: &mut HashTable<Box<[u8]>>, member: &[u8]) -> bool {
    match table.lookup(member) {
        Lookup::Occupied(_) => false,
        Lookup::Vacant(vacancy) => {
            table.insert(vacancy, member.into());
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::value::testing::Random;

    const DEFAULT: Limits = Limits::DEFAULT;

    fn set_of(members: impl Iterator<Item = u32>) -> Set {
        let mut set = Set::default();
        members.for_each(|member| assert!(set.add(member.to_string().as_bytes(), &DEFAULT)));
        set
    }

    #[test]
    fn integers_stay_an_intset_until_there_are_too_many() {
        let mut set = set_of(0..512);
        assert_eq!(set.encoding(), "intset");
        assert!(!set.add(b"511", &DEFAULT));
        assert_eq!(set.encoding(), "intset");
        set.add(b"512", &DEFAULT);
        assert_eq!(set.encoding(), "hashtable");
        assert!(set.contains(b"0") && set.contains(b"512"));
    }

    #[test]
    fn without_room_for_integers_they_are_packed() {
        let limits = Limits { set_max_intset_entries: 0, ..DEFAULT };
        let mut set = Set::default();
        assert!(set.add(b"1", &limits));
        assert_eq!(set.encoding(), "listpack");
    }

    #[test]
    fn another_member_makes_a_listpack_of_few_and_a_hashtable_of_many() {
        let mut few = set_of(0..127);
        few.add(b"01", &DEFAULT);
        assert_eq!(few.encoding(), "listpack");
        assert!(few.contains(b"1") && few.contains(b"01"));

        let mut many = set_of(0..128);
        many.add(b"01", &DEFAULT);
        assert_eq!(many.encoding(), "hashtable");

        let mut long = set_of(0..2);
        long.add(&[b'x'; 65], &DEFAULT);
        assert_eq!(long.encoding(), "hashtable");
    }

    #[test]
    fn any_mix_of_changes_is_that_of_an_ordered_set() {
        for seed in 1..40 {
            let mut random = Random::seeded(seed);
            let mut set = Set::default();
            let mut model = BTreeSet::new();
            let range = 4 << random.below(9);
            let texts = random.below(2) == 0;
            for _ in 0..4_000 {
                let number = random.below(range);
                let member = if texts && number.is_multiple_of(7) {
                    format!("m{number}")
                } else {
                    number.to_string()
                };
                let member = member.as_bytes();
                match random.below(8) {
                    0..5 => assert_eq!(set.add(member, &DEFAULT), model.insert(member.to_vec())),
                    5..7 => assert_eq!(set.remove(member), model.remove(member)),
                    _ => match set.pop(&mut || random.next()) {
                        Some(popped) => assert!(model.remove(&*popped)),
                        None => assert!(model.is_empty()),
                    },
                }
                assert_eq!(set.contains(member), model.contains(member));
                assert_eq!(set.len(), model.len());
            }
            assert_eq!(set.iter().map(|member| member.to_vec()).collect::<BTreeSet<_>>(), model);
        }
    }

    #[test]
    fn a_scan_visits_every_member_in_all_forms() {
        for size in [10, 100, 1_000] {
            let set = set_of(0..size);
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = set.scan(cursor, 7, |member| assert!(seen.insert(member.to_vec())));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), set.len());
        }
    }

    #[test]
    fn distinct_random_members_are_distinct_members() {
        let mut random = Random::seeded(8);
        for size in [10, 100, 1_000] {
            let set = set_of(0..size);
            let chosen: BTreeSet<_> = set
                .random_distinct(9, &mut || random.next())
                .iter()
                .map(|member| member.to_vec())
                .collect();
            assert_eq!(chosen.len(), 9);
            assert!(chosen.iter().all(|member| set.contains(member)));
            assert!(set.contains(&set.random(&mut || random.next()).unwrap()));
        }
    }
}
