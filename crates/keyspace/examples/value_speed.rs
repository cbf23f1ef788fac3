//! What a million elements cost: nanoseconds an operation, and bytes an element as the system counts them.
//!
//! `cargo run --release -p keyspace --example value_speed [list|hash|set|sorted-set]`

use std::hint::black_box;
use std::time::Instant;

use keyspace::value::Limits;
use keyspace::{Hash, List, Set, SortedSet};

const ELEMENTS: u64 = 1_000_000;
const LIMITS: Limits = Limits::DEFAULT;

fn main() {
    // One type a run, so that none lives in memory that another left.
    match std::env::args().nth(1).as_deref() {
        Some("list") => list(),
        Some("hash") => hash(),
        Some("set") => set(),
        Some("sorted-set") => sorted_set(),
        _ => [list, hash, set, sorted_set].into_iter().for_each(|measure| measure()),
    }
}

fn list() {
    let mut list = List::default();
    let element = [b'v'; 64];
    grown("LPUSH 64", || (0..ELEMENTS).for_each(|_| list.push_front(&element, &LIMITS)));
    println!("estimate: {} B", list.memory() as u64 / ELEMENTS);
    timed("LINDEX in the middle", 1_000, |index| {
        black_box(list.get(450_000 + index as usize));
    });
    timed("RPOP", ELEMENTS, |_| {
        black_box(list.pop_back());
    });
}

fn hash() {
    let mut hash = Hash::default();
    let value = [b'v'; 64];
    grown("HSET 16/64", || {
        (0..ELEMENTS).for_each(|element| {
            hash.set(&name(element), &value, &LIMITS);
        })
    });
    println!("estimate: {} B", hash.memory() as u64 / ELEMENTS);
    timed("HGET", ELEMENTS, |element| {
        black_box(hash.get(&name(element)));
    });
    timed("HDEL", ELEMENTS, |element| {
        hash.remove(&name(element));
    });
}

fn set() {
    let mut set = Set::default();
    grown("SADD 16", || {
        (0..ELEMENTS).for_each(|element| {
            set.add(&name(element), &LIMITS);
        })
    });
    println!("estimate: {} B", set.memory() as u64 / ELEMENTS);
    timed("SISMEMBER", ELEMENTS, |element| {
        black_box(set.contains(&name(element)));
    });
    let mut state = 0;
    timed("SPOP", ELEMENTS, |_| {
        state += 1;
        black_box(set.pop(&mut || scrambled(state)));
    });
}

fn sorted_set() {
    let mut set = SortedSet::default();
    grown("ZADD 16 random", || {
        (0..ELEMENTS).for_each(|element| {
            set.insert(&name(element), scrambled(element + 7) as f64, &LIMITS);
        })
    });
    println!("estimate: {} B", set.memory() as u64 / ELEMENTS);
    timed("ZSCORE", ELEMENTS, |element| {
        black_box(set.score(&name(element)));
    });
    timed("ZRANK", ELEMENTS, |element| {
        black_box(set.rank(&name(element)));
    });
    timed("ZRANGE of ten by rank", 100_000, |element| {
        let rank = scrambled(element) as usize % (ELEMENTS as usize - 10);
        set.range(rank..rank + 10).for_each(|entry| {
            black_box(entry);
        });
    });
    timed("ZREM", ELEMENTS / 2, |element| {
        set.remove(&name(element));
    });
    timed("ZPOPMIN", ELEMENTS / 2, |_| {
        black_box(set.pop_min());
    });
}

fn timed(name: &str, count: u64, mut operation: impl FnMut(u64)) {
    let start = Instant::now();
    (0..count).for_each(&mut operation);
    println!("{name:<24}{:>6} ns", start.elapsed().as_nanos() as u64 / count);
}

fn grown(name: &str, fill: impl FnOnce()) {
    let before = resident();
    let start = Instant::now();
    fill();
    let nanoseconds = start.elapsed().as_nanos() as u64 / ELEMENTS;
    println!("{name:<24}{nanoseconds:>6} ns {:>6} B", (resident() - before) / ELEMENTS);
}

/// Resident bytes, or 0 where the system does not say.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Sixteen bytes in random order.
fn name(element: u64) -> [u8; 16] {
    let digits = scrambled(element);
    let mut name = [0; 16];
    for (at, byte) in name.iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[(digits >> (4 * at)) as usize & 15];
    }
    name
}

fn scrambled(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}
