//! A function over every key, and what another client notices of it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::peer;
use crate::bench::command::{encode, key};
use crate::bench::connection::{Connection, Reply};
use crate::bench::data::VALUE;
use crate::bench::figures::{at_least, at_most, medians, milliseconds, percentile, ratio, shown};
use crate::bench::load::fill;
use crate::bench::options::{Options, Scale};
use crate::bench::server::{Kind, Place, Server};
use crate::bench::table::Table;

/// What another client may wait for a PING while a batch runs.
const PING_GOAL_MS: f64 = 5.0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Strings,
    Hashes,
}

struct Query {
    script: &'static str,
    over: Over,
    peer: peer::Batch,
    /// Records a second.
    goal: Option<f64>,
}

const QUERIES: [Query; 4] = [
    Query {
        script: "GB().count().run()",
        over: Over::Strings,
        peer: peer::COUNT,
        goal: Some(10e6),
    },
    Query {
        script: "GB().filter(lambda r: r['key'][-1] in '02468').map(lambda r: r['value']).count().run()",
        over: Over::Strings,
        peer: peer::FILTER_MAP_COUNT,
        goal: Some(3.5e6),
    },
    Query {
        script: "GB().countby(lambda r: r['key'][-1]).run()",
        over: Over::Strings,
        peer: peer::COUNT_BY,
        goal: Some(2.5e6),
    },
    Query {
        script: "GB().countby(lambda r: r['value']['color']).run()",
        over: Over::Hashes,
        peer: peer::HASHES_COUNT_BY,
        goal: Some(1.2e6),
    },
];

pub(super) fn measure(options: &Options) -> io::Result<[Table; 2]> {
    let scale = &options.scale;
    let strings = Server::start(Kind::Mainspring, Place::Anywhere)?;
    fill(strings.port(), scale.keys, |out, n| encode(out, &[b"SET", &key(b"key:", n), &VALUE]))?;
    let hashes = Server::start(Kind::Mainspring, Place::Anywhere)?;
    fill(hashes.port(), scale.hashes, append_hash)?;
    let sides = Sides { strings, hashes };
    Ok([rates(options, &sides)?, pings(options, &sides)?])
}

struct Sides {
    strings: Server,
    hashes: Server,
}

impl Sides {
    fn of(&self, query: &Query, scale: &Scale) -> (&Server, u64) {
        match query.over {
            Over::Strings => (&self.strings, scale.keys),
            Over::Hashes => (&self.hashes, scale.hashes),
        }
    }
}

/// Four fields, one of which has five values.
fn append_hash(out: &mut Vec<u8>, n: u64) {
    const COLORS: [&[u8]; 5] = [b"red", b"green", b"blue", b"black", b"white"];
    let color = COLORS[(n % 5) as usize];
    let number = n.to_string();
    let words: [&[u8]; 10] = [
        b"HSET",
        &key(b"obj:", n),
        b"color",
        color,
        b"number",
        number.as_bytes(),
        b"name",
        b"something",
        b"size",
        b"12",
    ];
    encode(out, &words);
}

fn rates(options: &Options, sides: &Sides) -> io::Result<Table> {
    let mut rounds: [Vec<[f64; 2]>; QUERIES.len()] = Default::default();
    for _ in 0..options.rounds {
        for (query, rounds) in QUERIES.iter().zip(&mut rounds) {
            let (server, records) = sides.of(query, &options.scale);
            let mut connection = server.connect()?;
            let cpu = server.cpu_with_workers()?;
            let start = Instant::now();
            run(&mut connection, query)?;
            let elapsed = start.elapsed();
            let cpu = server.cpu_with_workers()?.saturating_sub(cpu);
            rounds.push([
                records as f64 / elapsed.as_secs_f64(),
                cpu.as_secs_f64() * 1e6 / records as f64,
            ]);
        }
    }
    let rows = QUERIES.iter().zip(&rounds).map(|(query, rounds)| {
        let [per_second, cpu_us] = medians(rounds);
        vec![
            shown_script(query),
            shown(per_second),
            shown(cpu_us),
            shown(query.peer.per_second),
            shown(query.peer.cpu_us),
            ratio(per_second / query.peer.per_second),
            query.goal.map(shown).unwrap_or_default(),
            query.goal.map(|goal| at_least(goal, per_second)).unwrap_or_default(),
        ]
    });
    Ok(Table {
        title: "Batch functions: records a second",
        method: format!(
            "{} strings of 64 bytes, {} hashes of four fields; one worker; the whole RG.PYEXECUTE as its client sees it. \
             CPU is that of the server and its workers. {}",
            shown(options.scale.keys as f64),
            shown(options.scale.hashes as f64),
            peer::CREDIT
        ),
        headers: &[
            "function",
            "records/s",
            "CPU us/record",
            "peer records/s",
            "peer CPU us/record",
            "ratio",
            "goal records/s",
            "",
        ],
        rows: rows.collect(),
    })
}

fn shown_script(query: &Query) -> String {
    let over = match query.over {
        Over::Strings => "strings",
        Over::Hashes => "hashes",
    };
    format!("{over}: `{}`", query.script)
}

/// A function that failed half-way is quick, so an answer with errors is none.
fn run(connection: &mut Connection, query: &Query) -> io::Result<()> {
    match connection.call(&["RG.PYEXECUTE", query.script])? {
        Reply::Array(parts)
            if matches!(&parts[..], [Reply::Array(results), Reply::Array(errors)]
                if !results.is_empty() && errors.is_empty()) =>
        {
            Ok(())
        }
        other => Err(io::Error::other(format!("{} answered {other:?}", query.script))),
    }
}

fn pings(options: &Options, sides: &Sides) -> io::Result<Table> {
    let mut rows = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..options.rounds {
        idle.push(pinged_while(&sides.strings, || {
            sleep(options.scale.wall);
            Ok(())
        })?);
    }
    rows.push(ping_row("nothing".into(), idle, None));
    for query in &QUERIES {
        let (server, _) = sides.of(query, &options.scale);
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let mut connection = server.connect()?;
            rounds.push(pinged_while(server, || run(&mut connection, query))?);
        }
        rows.push(ping_row(shown_script(query), rounds, Some(PING_GOAL_MS)));
    }
    Ok(Table {
        title: "PING of another client while a batch function runs",
        method: "One PING after another, 200 us apart; half, 99 of 100 and all are answered within. Median of the rounds; \
                 in the last column before the goal the worst of all rounds. The goal is for the median of the worst."
            .into(),
        headers: &[
            "beside",
            "p50 ms",
            "p99 ms",
            "worst ms",
            "worst of all rounds ms",
            "goal",
            "",
        ],
        rows,
    })
}

fn ping_row(beside: String, rounds: Vec<Vec<Duration>>, goal: Option<f64>) -> Vec<String> {
    let figures: Vec<[f64; 3]> = rounds
        .into_iter()
        .map(|mut times| [0.5, 0.99, 1.0].map(|share| milliseconds(percentile(&mut times, share))))
        .collect();
    let [half, most, worst] = medians(&figures);
    let worst_of_all = figures.iter().map(|round| round[2]).fold(0.0, f64::max);
    vec![
        beside,
        shown(half),
        shown(most),
        shown(worst),
        shown(worst_of_all),
        goal.map(|goal| format!("at most {goal} ms")).unwrap_or_default(),
        goal.map(|goal| at_most(goal, worst)).unwrap_or_default(),
    ]
}

fn pinged_while(
    server: &Server,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<Vec<Duration>> {
    let mut connection = server.connect()?;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let prober = scope.spawn(|| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let start = Instant::now();
                connection.call(&["PING"])?;
                times.push(start.elapsed());
                sleep(Duration::from_micros(200));
            }
            io::Result::Ok(times)
        });
        let result = work();
        is_over.store(true, Ordering::Relaxed);
        let times = prober.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result.and(times)
    })
}
