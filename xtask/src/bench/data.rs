//! The data commands, at three depths of pipeline.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::command::{encode, key};
use super::cores::Apart;
use super::figures::{at_least, medians, ratio, shown};
use super::load::{CONNECTIONS, Load, fill};
use super::options::{Options, Scale};
use super::random::Xorshift;
use super::server::{BOTH, Place, Server};
use super::table::Table;

pub(super) const VALUE: [u8; 64] = [b'v'; 64];

const DEPTHS: [usize; 3] = [1, 16, 64];

/// A command as it is measured.
struct Subject {
    name: &'static str,
    /// Writes one request over a range of so many keys.
    append: fn(&mut Vec<u8>, &mut Xorshift, u64),
    /// A key that only grows, and is removed before each stretch.
    growing: Option<&'static str>,
    /// How many times less of the processor than redis-server it shall take, at each depth.
    goals: [Option<f64>; 3],
}

const SUBJECTS: [Subject; 8] = [
    Subject {
        name: "GET",
        append: |out, random, keys| encode(out, &[b"GET", &key(b"key:", random.below(keys))]),
        growing: None,
        goals: [Some(1.05), Some(1.6), Some(2.5)],
    },
    Subject {
        name: "SET",
        append: |out, random, keys| {
            encode(out, &[b"SET", &key(b"key:", random.below(keys)), &VALUE]);
        },
        growing: None,
        goals: [Some(1.05), Some(1.8), Some(2.5)],
    },
    Subject {
        name: "INCR",
        append: |out, random, keys| encode(out, &[b"INCR", &key(b"ctr:", random.below(keys))]),
        growing: None,
        goals: [Some(1.05), None, None],
    },
    Subject {
        name: "LPUSH",
        append: |out, _, _| encode(out, &[b"LPUSH", b"list", &VALUE]),
        growing: Some("list"),
        goals: [Some(1.05), None, None],
    },
    Subject {
        name: "HSET",
        append: |out, random, keys| {
            encode(out, &[b"HSET", b"hash", &key(b"fld:", random.below(keys)), &VALUE]);
        },
        growing: None,
        goals: [Some(1.05), None, None],
    },
    Subject {
        name: "ZADD",
        append: |out, random, keys| {
            let score = random.below(keys).to_string();
            encode(out, &[b"ZADD", b"zset", score.as_bytes(), &key(b"mbr:", random.below(keys))]);
        },
        growing: None,
        goals: [Some(1.05), None, None],
    },
    Subject {
        name: "XADD",
        append: |out, _, _| encode(out, &[b"XADD", b"stream", b"*", b"field", &VALUE]),
        growing: Some("stream"),
        goals: [Some(1.05), None, None],
    },
    Subject {
        name: "PING",
        append: |out, _, _| encode(out, &[b"PING"]),
        growing: None,
        goals: [None, None, None],
    },
];

/// One stretch of one server: nanoseconds of its processor a command, commands a second.
#[derive(Clone, Copy)]
struct Cost {
    cpu_ns: f64,
    per_second: f64,
}

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    // In a thread of its own, because the place of a thread lasts as long as the thread.
    let costs = thread::scope(|scope| {
        scope
            .spawn(|| measure_in_rounds(options))
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let mut rows = Vec::new();
    for (subject, by_depth) in SUBJECTS.iter().zip(costs) {
        for ((depth, goal), rounds) in DEPTHS.iter().zip(subject.goals).zip(by_depth) {
            rows.push(row(subject.name, *depth, goal, &rounds));
        }
    }
    Ok(Table {
        title: "Commands: processor time and throughput",
        method: format!(
            "{CONNECTIONS} connections from one thread. Keys are uniform over {} of 16 bytes, values have 64 bytes; \
             INCR is over as many counters, HSET and ZADD (score and member at random) are into one hash and one sorted \
             set of as many; LPUSH and XADD (one field) grow one key. CPU is user and system time of the server process \
             from /proc; a figure is taken until that is {} ms, or for {} s at most; {}. Ratios are redis-server's cost over ours, and our \
             throughput over redis-server's: above 1 is better than redis-server. Goals are for the CPU ratio.",
            shown(options.scale.keys as f64),
            options.scale.cpu.as_millis(),
            longest(&options.scale).as_secs_f64(),
            if Apart::here().is_some() {
                "server and generator each have a core of their own"
            } else {
                "server and generator share the cores"
            }
        ),
        headers: &[
            "command",
            "depth",
            "Mainspring CPU ns/command",
            "Redis CPU ns/command",
            "CPU ratio",
            "Mainspring commands/s",
            "Redis commands/s",
            "throughput ratio",
            "goal",
            "",
        ],
        rows,
    })
}

fn row(name: &str, depth: usize, goal: Option<f64>, rounds: &[[Cost; 2]]) -> Vec<String> {
    let figures: Vec<[f64; 6]> = rounds
        .iter()
        .map(|[ours, redis]| {
            [
                ours.cpu_ns,
                redis.cpu_ns,
                redis.cpu_ns / ours.cpu_ns,
                ours.per_second,
                redis.per_second,
                ours.per_second / redis.per_second,
            ]
        })
        .collect();
    let [ours_ns, redis_ns, cpu_ratio, ours_rate, redis_rate, rate_ratio] = medians(&figures);
    vec![
        name.into(),
        depth.to_string(),
        shown(ours_ns),
        shown(redis_ns),
        ratio(cpu_ratio),
        shown(ours_rate),
        shown(redis_rate),
        ratio(rate_ratio),
        goal.map(ratio).unwrap_or_default(),
        goal.map(|goal| at_least(goal, cpu_ratio)).unwrap_or_default(),
    ]
}

/// By subject, depth and round: ours and redis-server's.
type Costs = Vec<[Vec<[Cost; 2]>; 3]>;

fn measure_in_rounds(options: &Options) -> io::Result<Costs> {
    let apart = Apart::here();
    let place = apart.map_or(Place::Anywhere, |apart| Place::Core(apart.server));
    if let Some(apart) = apart {
        apart.hold_client()?;
    }
    let servers = [Server::start(BOTH[0], place)?, Server::start(BOTH[1], place)?];
    for server in &servers {
        preload(server, options.scale.keys)?;
    }
    let mut costs: Costs = SUBJECTS.iter().map(|_| Default::default()).collect();
    for round in 0..options.rounds {
        println!("    round {} of {}", round + 1, options.rounds);
        for (subject, by_depth) in SUBJECTS.iter().zip(&mut costs) {
            for (&depth, rounds) in DEPTHS.iter().zip(by_depth) {
                let one = |server| stretch(server, subject, depth, round, &options.scale);
                // Neither always has the other's warm cache.
                rounds.push(if round.is_multiple_of(2) {
                    let ours = one(&servers[0])?;
                    [ours, one(&servers[1])?]
                } else {
                    let redis = one(&servers[1])?;
                    [one(&servers[0])?, redis]
                });
            }
        }
    }
    Ok(costs)
}

fn preload(server: &Server, keys: u64) -> io::Result<()> {
    let port = server.port();
    fill(port, keys, |out, n| encode(out, &[b"SET", &key(b"key:", n), &VALUE]))?;
    fill(port, keys, |out, n| encode(out, &[b"SET", &key(b"ctr:", n), b"0"]))?;
    fill(port, keys, |out, n| encode(out, &[b"HSET", b"hash", &key(b"fld:", n), &VALUE]))?;
    let mut random = Xorshift::new(keys);
    fill(port, keys, |out, n| {
        let score = random.below(keys).to_string();
        encode(out, &[b"ZADD", b"zset", score.as_bytes(), &key(b"mbr:", n)]);
    })
}

/// Of one figure, on a machine where the server does not get its core.
fn longest(scale: &Scale) -> Duration {
    scale.cpu * 5
}

fn stretch(
    server: &Server,
    subject: &Subject,
    depth: usize,
    round: usize,
    scale: &Scale,
) -> io::Result<Cost> {
    /// A look at /proc costs the generator about as much as a few commands.
    const LOOK: Duration = Duration::from_millis(20);

    if let Some(key) = subject.growing {
        server.connect()?.call(&["DEL", key])?;
    }
    let mut load = Load::open(server.port(), CONNECTIONS, depth)?;
    // Both servers meet the same keys.
    let mut random = Xorshift::new(round as u64 + 1);
    let before = server.cpu()?;
    let deadline = Instant::now() + longest(scale);
    let mut next_look = Instant::now() + LOOK;
    let mut failure = None;
    let stretch = load.run(
        |out| (subject.append)(out, &mut random, scale.keys),
        |_| {
            let now = Instant::now();
            if now < next_look {
                return true;
            }
            next_look = now + LOOK;
            match server.cpu() {
                Ok(cpu) => cpu - before < scale.cpu && now < deadline,
                Err(error) => {
                    failure = Some(error);
                    false
                }
            }
        },
    )?;
    if let Some(error) = failure {
        return Err(error);
    }
    let cpu = server.cpu()? - before;
    Ok(Cost {
        cpu_ns: cpu.as_secs_f64() * 1e9 / stretch.commands as f64,
        per_second: stretch.per_second(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_sends_the_command_it_is_named_after() {
        for subject in &SUBJECTS {
            let mut out = Vec::new();
            (subject.append)(&mut out, &mut Xorshift::new(1), 1_000_000);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.split("\r\n").nth(2), Some(subject.name));
        }
    }
}
