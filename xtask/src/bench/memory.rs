//! What a key, a field or a member costs in resident memory.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::command::{encode, key};
use super::data::VALUE;
use super::figures::{at_most, medians, ratio, shown};
use super::load::fill;
use super::options::Options;
use super::random::Xorshift;
use super::server::{BOTH, Kind, Place, Server};
use super::table::Table;

struct Shape {
    name: &'static str,
    append: fn(&mut Vec<u8>, u64, &mut Xorshift),
    /// Bytes, at most.
    goal: Option<f64>,
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "string: key of 16, value of 64 bytes",
        append: |out, n, _| encode(out, &[b"SET", &key(b"key:", n), &VALUE]),
        goal: Some(120.0),
    },
    Shape {
        name: "string: key of 16, value of 16 bytes",
        append: |out, n, _| encode(out, &[b"SET", &key(b"key:", n), &VALUE[..16]]),
        goal: None,
    },
    Shape {
        name: "string: 16 and 64 bytes, with a time to live",
        append: |out, n, _| encode(out, &[b"SET", &key(b"key:", n), &VALUE, b"EX", b"1000000"]),
        goal: None,
    },
    Shape {
        name: "one hash: field of 16, value of 64 bytes",
        append: |out, n, _| encode(out, &[b"HSET", b"hash", &key(b"fld:", n), &VALUE]),
        goal: None,
    },
    Shape {
        name: "one sorted set: member of 16 bytes",
        append: |out, n, random| {
            let score = random.below(1_000_000).to_string();
            encode(out, &[b"ZADD", b"zset", score.as_bytes(), &key(b"mbr:", n)]);
        },
        goal: None,
    },
];

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let count = options.scale.keys;
    let mut rounds: [Vec<[f64; 3]>; SHAPES.len()] = Default::default();
    for _ in 0..options.rounds {
        for (shape, rounds) in SHAPES.iter().zip(&mut rounds) {
            let ours = bytes_each(BOTH[0], shape, count)?;
            let redis = bytes_each(BOTH[1], shape, count)?;
            rounds.push([ours, redis, ours / redis]);
        }
    }
    let rows = SHAPES.iter().zip(&rounds).map(|(shape, rounds)| {
        let [ours, redis, share] = medians(rounds);
        vec![
            shape.name.into(),
            shown(ours),
            shown(redis),
            ratio(share),
            shape.goal.map(|goal| format!("at most {goal} B")).unwrap_or_default(),
            shape.goal.map(|goal| at_most(goal, ours)).unwrap_or_default(),
        ]
    });
    Ok(Table {
        title: "Memory: resident bytes for each key, field or member",
        method: format!(
            "Growth of the resident set of a fresh server over {} of them, 1.5 s after the last, by their number. The \
             ratio is ours over redis-server's: below 1 is smaller.",
            shown(count as f64)
        ),
        headers: &["what", "Mainspring B", "Redis B", "ratio", "goal", ""],
        rows: rows.collect(),
    })
}

fn bytes_each(kind: Kind, shape: &Shape, count: u64) -> io::Result<f64> {
    /// Long enough for a table that grows step by step to let its old half go.
    const SETTLE: Duration = Duration::from_millis(1500);

    let server = Server::start(kind, Place::Anywhere)?;
    let before = server.resident()?;
    let mut random = Xorshift::new(1);
    fill(server.port(), count, |out, n| (shape.append)(out, n, &mut random))?;
    sleep(SETTLE);
    Ok((server.resident()? as f64 - before as f64) / count as f64)
}
