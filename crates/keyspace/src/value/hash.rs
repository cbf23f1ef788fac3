use super::Limits;
use super::hash_table::{HashTable, Keyed, Lookup, allocated};
use super::length;
use super::packed::{Items, PACKED_SIZE_MAX, Packed, Place};
use super::sample;

/// Fields and their values: packed in the order they came while few and short, a hash table from then on.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    // Invariant: fields at even indexes, each followed by its value.
    Packed(Packed),
    Table(Box<HashTable<Pair>>),
}

impl Default for Form {
    fn default() -> Self {
        Form::Packed(Packed::default())
    }
}

impl Hash {
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.len() / 2,
            Form::Table(table) => table.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Packed(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        match &self.form {
            Form::Packed(packed) => Some(packed.read(value_place(packed, field)?).0),
            Form::Table(table) => Some(table.at(table.find(field)?).value()),
        }
    }

    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Returns whether the field is new.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        if field.len().max(value.len()) > limits.hash_max_listpack_value {
            self.spread();
        }
        let is_new = match &mut self.form {
            Form::Packed(packed) => set_packed(packed, field, value),
            Form::Table(table) => set_table(table, field, value),
        };
        if let Form::Packed(packed) = &self.form
            && (packed.len() / 2 > limits.hash_max_listpack_entries
                || packed.size() > PACKED_SIZE_MAX)
        {
            self.spread();
        }
        is_new
    }

    /// Returns whether the field was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(packed) => {
                let Some(place) = field_place(packed, field) else { return false };
                packed.remove(place, 2);
            }
            Form::Table(table) => {
                let Some(position) = table.find(field) else { return false };
                table.remove(position);
            }
        }
        true
    }

    pub fn iter(&self) -> Iter<'_> {
        Iter { hash: self, next: 0, packed: self.packed_items() }
    }

    pub fn random(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        if self.is_empty() {
            return None;
        }
        Some(self.at(sample::below(self.len(), random)))
    }

    /// `count` different fields with their values, or all.
    pub fn random_distinct(
        &self,
        count: usize,
        random: &mut dyn FnMut() -> u64,
    ) -> Vec<(&[u8], &[u8])> {
        sample::distinct(self.len(), count, random)
            .into_iter()
            .map(|index| self.at(index))
            .collect()
    }

    /// Visits about `count` fields from a cursor and returns the next one; 0 begins and ends. A packed hash is visited
    /// whole. A field that is there from the first call to the last is visited at least once.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], &[u8])) -> u64 {
        match &self.form {
            Form::Packed(_) => {
                self.iter().for_each(|(field, value)| visit(field, value));
                0
            }
            Form::Table(table) => table.scan(cursor, count, |pair| visit(pair.key(), pair.value())),
        }
    }

    /// An estimate of its bytes.
    pub fn memory(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.memory(),
            Form::Table(table) => size_of_val(&**table) + table.memory(),
        }
    }

    /// How many allocations end with it.
    pub fn work(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Table(table) => 1 + table.work(),
        }
    }

    fn at(&self, index: usize) -> (&[u8], &[u8]) {
        match &self.form {
            Form::Packed(packed) => {
                let (field, next) = packed.read(packed.place(2 * index));
                (field, packed.read(next).0)
            }
            Form::Table(table) => table.at(index).split(),
        }
    }

    fn packed_items(&self) -> Option<Items<'_>> {
        match &self.form {
            Form::Packed(packed) => Some(packed.items()),
            Form::Table(_) => None,
        }
    }

    /// Takes the big form, for good.
    fn spread(&mut self) {
        if let Form::Packed(_) = self.form {
            let mut table = HashTable::default();
            for (field, value) in self.iter() {
                set_table(&mut table, field, value);
            }
            self.form = Form::Table(Box::new(table));
        }
    }
}

/// Fields with their values; while packed, in the order they came.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    hash: &'a Hash,
    next: usize,
    packed: Option<Items<'a>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.hash.len() {
            return None;
        }
        self.next += 1;
        match &mut self.packed {
            Some(items) => Some((items.next()?, items.next()?)),
            None => Some(self.hash.at(self.next - 1)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.hash.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

fn field_place(packed: &Packed, field: &[u8]) -> Option<Place> {
    let (place, _) = packed.places().step_by(2).find(|&(_, item)| item == field)?;
    Some(place)
}

fn value_place(packed: &Packed, field: &[u8]) -> Option<Place> {
    Some(packed.read(field_place(packed, field)?).1)
}

fn set_packed(packed: &mut Packed, field: &[u8], value: &[u8]) -> bool {
    match value_place(packed, field) {
        Some(place) => packed.replace(place, value),
        None => {
            packed.insert(packed.place(packed.len()), &[field, value]);
            return true;
        }
    }
    false
}

fn set_table(table: &mut HashTable<Pair>, field: &[u8], value: &[u8]) -> bool {
    match table.lookup(field) {
        Lookup::Occupied(position) => {
            table.update(position, |pair| pair.set_value(value));
            false
        }
        Lookup::Vacant(vacancy) => {
            table.insert(vacancy, Pair::new(field, value));
            true
        }
    }
}

/// A field and its value in one allocation: the field's length, the field, the value.
#[derive(Clone, Debug)]
struct Pair {
    bytes: Box<[u8]>,
}

impl Pair {
    fn new(field: &[u8], value: &[u8]) -> Self {
        let mut prefix = [0; length::SIZE_MAX];
        let prefix_len = length::write(&mut prefix, field.len());
        Pair { bytes: [&prefix[..prefix_len], field, value].concat().into() }
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let (len, prefix) = length::read(&self.bytes);
        self.bytes[prefix..].split_at(len)
    }

    fn value(&self) -> &[u8] {
        self.split().1
    }

    fn set_value(&mut self, value: &[u8]) {
        let (field, old) = self.split();
        if old.len() != value.len() {
            *self = Pair::new(field, value);
            return;
        }
        let start = self.bytes.len() - value.len();
        self.bytes[start..].copy_from_slice(value);
    }
}

impl Keyed for Pair {
    fn key(&self) -> &[u8] {
        self.split().0
    }

    fn owned(&self) -> usize {
        allocated(self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::value::testing::Random;

    const DEFAULT: Limits = Limits::DEFAULT;
    const LIMITS: Limits = Limits { hash_max_listpack_entries: 20, ..DEFAULT };

    #[test]
    fn a_packed_hash_keeps_the_order_its_fields_came_in() {
        let mut hash = Hash::default();
        for (field, value) in [("b", "1"), ("a", "2"), ("b", "longer")] {
            hash.set(field.as_bytes(), value.as_bytes(), &DEFAULT);
        }
        let pairs: Vec<_> = hash.iter().collect();
        assert_eq!(pairs, [(b"b".as_slice(), b"longer".as_slice()), (b"a", b"2")]);
    }

    #[test]
    fn a_value_is_not_taken_for_a_field() {
        let mut hash = Hash::default();
        hash.set(b"field", b"value", &DEFAULT);
        assert!(!hash.contains(b"value"));
        assert!(!hash.remove(b"value"));
    }

    #[test]
    fn one_field_too_many_or_one_byte_too_many_makes_a_hashtable() {
        let mut hash = Hash::default();
        (0..512).for_each(|field: u32| assert!(hash.set(&field.to_le_bytes(), b"", &DEFAULT)));
        assert_eq!(hash.encoding(), "listpack");
        hash.set(b"one more", b"", &DEFAULT);
        assert_eq!(hash.encoding(), "hashtable");

        let mut hash = Hash::default();
        hash.set(b"field", &[0; 64], &DEFAULT);
        assert_eq!(hash.encoding(), "listpack");
        hash.set(b"field", &[0; 65], &DEFAULT);
        assert_eq!(hash.encoding(), "hashtable");
        assert_eq!(hash.get(b"field"), Some([0; 65].as_slice()));
    }

    #[test]
    fn any_mix_of_changes_is_that_of_a_map() {
        for seed in 1..20 {
            let mut random = Random::seeded(seed);
            let mut hash = Hash::default();
            let mut model = BTreeMap::new();
            let fields = 4 << random.below(8);
            for _ in 0..4_000 {
                let field = random.below(fields).to_string().into_bytes();
                let value = vec![b'v'; random.below(30) as usize];
                if random.below(3) < 2 {
                    assert_eq!(
                        hash.set(&field, &value, &LIMITS),
                        model.insert(field.clone(), value).is_none()
                    );
                } else {
                    assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                }
                assert_eq!(hash.get(&field), model.get(&field).map(Vec::as_slice));
                assert_eq!(hash.len(), model.len());
            }
            let pairs: BTreeMap<_, _> =
                hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
            assert_eq!(pairs, model);
            assert_eq!(hash.iter().len(), model.len());
        }
    }

    #[test]
    fn a_scan_visits_every_field_in_both_forms() {
        for fields in [10, 1_000] {
            let mut hash = Hash::default();
            (0..fields)
                .for_each(|field: u32| assert!(hash.set(&field.to_le_bytes(), b"", &DEFAULT)));
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = hash.scan(cursor, 7, |field, _| assert!(seen.insert(field.to_vec())));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen.len(), hash.len());
        }
    }

    #[test]
    fn random_fields_come_with_their_values() {
        let mut random = Random::seeded(5);
        for fields in [10, 1_000] {
            let mut hash = Hash::default();
            (0..fields).for_each(|field: u32| {
                hash.set(&field.to_le_bytes(), &field.to_le_bytes(), &DEFAULT);
            });
            let (field, value) = hash.random(&mut || random.next()).unwrap();
            assert_eq!(field, value);
            let chosen: BTreeSet<_> =
                hash.random_distinct(8, &mut || random.next()).into_iter().collect();
            assert_eq!(chosen.len(), 8);
            assert!(chosen.iter().all(|(field, value)| field == value));
        }
        assert_eq!(Hash::default().random(&mut || random.next()), None);
    }
}
