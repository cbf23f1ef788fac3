//! What a key costs: `cargo run --release -p keyspace --example figures [KEYS]`.
//!
//! Resident bytes per key for keys of 16 and values of 64 bytes, and the time of a read and of a write at random, one by one
//! and in batches whose buckets and entries are fetched ahead.

use std::hint::black_box;
use std::time::Instant;

use keyspace::{Expiry, Keyspace, Options, StringRef};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Key = [u8; 16];

fn main() {
    let keys: u64 =
        std::env::args().nth(1).map_or(1_000_000, |keys| keys.parse().expect("a number of keys"));
    let value = [b'v'; 64];
    let mut keyspace = Keyspace::new(Options { databases: 16, seed: 0x5eed });
    keyspace.set_now(1_700_000_000_000);

    let before = resident();
    let started = Instant::now();
    for n in 0..keys {
        keyspace.database(0).set_string(&key(n), &value, Expiry::Clear);
    }
    report("insert", started, keys);
    println!("resident   {:7.1} B/key", (resident() - before) as f64 / keys as f64);
    println!("accounted  {:7.1} B/key", keyspace.used_memory() as f64 / keys as f64);

    let mut state = 88_172_645_463_325_252_u64;
    let order: Vec<Key> = (0..keys.min(2_000_000))
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            key(state % keys)
        })
        .collect();

    for batch in [1, 16, 64] {
        let started = Instant::now();
        in_batches(&mut keyspace, &order, batch, |keyspace, key| {
            let mut database = keyspace.database(0);
            let string = database.string(key).expect("a string").expect("every key is there");
            black_box(string.with_bytes(|bytes| bytes[0] + bytes[63]));
            debug_assert!(matches!(string, StringRef::Bytes(_)));
        });
        report(&format!("get, by {batch}"), started, order.len() as u64);
    }
    for batch in [1, 16, 64] {
        let started = Instant::now();
        in_batches(&mut keyspace, &order, batch, |keyspace, key| {
            keyspace.database(0).set_string(key, &value, Expiry::Clear);
        });
        report(&format!("set, by {batch}"), started, order.len() as u64);
    }

    let started = Instant::now();
    let (mut cursor, mut seen) = (0, 0);
    loop {
        cursor = keyspace.database(0).scan(cursor, 100, &mut |_, _| seen += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, keys);
    report("scan", started, keys);

    let started = Instant::now();
    for n in 0..keys {
        keyspace.database(0).remove(&key(n));
    }
    report("remove", started, keys);
}

/// As an event loop does it: all buckets of a batch are asked for, then all entries, then the commands run.
fn in_batches(
    keyspace: &mut Keyspace,
    keys: &[Key],
    batch: usize,
    mut run: impl FnMut(&mut Keyspace, &Key),
) {
    let mut hashes = Vec::with_capacity(batch);
    for keys in keys.chunks(batch) {
        if batch > 1 {
            hashes.clear();
            hashes.extend(keys.iter().map(|key| keyspace.database(0).hash(key)));
            hashes.iter().for_each(|&hash| keyspace.prefetch_bucket(0, hash));
            hashes.iter().for_each(|&hash| keyspace.prefetch_entry(0, hash));
        }
        keys.iter().for_each(|key| run(keyspace, key));
    }
}

fn key(n: u64) -> Key {
    let mut key = *b"key:000000000000";
    let digits = n.to_string();
    key[16 - digits.len()..].copy_from_slice(digits.as_bytes());
    key
}

fn report(what: &str, started: Instant, operations: u64) {
    println!("{what:<10} {:7.1} ns", started.elapsed().as_nanos() as f64 / operations as f64);
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split(' ').nth(1).expect("the second field is the resident set");
    pages.parse::<usize>().expect("a number of pages") * 4096
}
