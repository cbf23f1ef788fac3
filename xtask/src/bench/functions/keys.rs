//! What a function that is called for every SET leaves of the SETs, and how long it works on.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::peer;
use super::registration::{MODES, Mode, register, unregister_all};
use crate::bench::command::{encode, key};
use crate::bench::connection::Connection;
use crate::bench::data::VALUE;
use crate::bench::figures::{at_least, medians, ratio, shown};
use crate::bench::load::{CONNECTIONS, Load, Stretch};
use crate::bench::options::{Options, Scale};
use crate::bench::random::Xorshift;
use crate::bench::server::{Kind, Place, Server};
use crate::bench::table::Table;

const DEPTHS: [usize; 2] = [1, 16];

/// At the greater depth.
const SHARE_GOAL: f64 = 0.35;

/// Plain SETs a second, SETs a second with the function, their share, seconds of work left after the last SET, and the
/// share of events that were handled.
type Figures = [f64; 5];

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let server = Server::start(Kind::Mainspring, Place::Anywhere)?;
    let mut rows = Vec::new();
    for mode in MODES {
        for (depth, peer) in DEPTHS.into_iter().zip(mode.of(peer::KEYS_ASYNC, peer::KEYS_SYNC)) {
            let mut rounds = Vec::new();
            for _ in 0..options.rounds {
                let Some(figures) = stretch(&server, mode, depth, &options.scale)? else { break };
                rounds.push(figures);
            }
            rows.push(row(mode, depth, peer, &rounds));
        }
    }
    Ok(Table {
        title: "SET with a KeysReader function that calls INCR",
        method: format!(
            "{CONNECTIONS} connections from one thread, {} s without and {} s with the function. The work left is from the \
             last SET's answer to the last INCR. Share is of the SETs a second without it. {}",
            options.scale.wall.as_secs_f64(),
            options.scale.wall.as_secs_f64(),
            peer::CREDIT
        ),
        headers: &[
            "mode",
            "depth",
            "plain SET/s",
            "SET/s with it",
            "share kept",
            "work left s",
            "events handled %",
            "peer share kept",
            "ratio",
            "goal",
            "",
        ],
        rows,
    })
}

fn row(mode: Mode, depth: usize, peer: f64, rounds: &[Figures]) -> Vec<String> {
    let mut row = vec![mode.name().into(), depth.to_string()];
    if rounds.is_empty() {
        row.extend(["", "not there yet", "", "", ""].map(str::to_owned));
        row.extend([shown(peer), String::new(), String::new(), String::new()]);
        return row;
    }
    let [plain, with_it, share, left_s, handled] = medians(rounds);
    row.extend([shown(plain), shown(with_it), shown(share), shown(left_s)]);
    row.extend([shown(handled * 100.0), shown(peer), ratio(share / peer)]);
    row.extend(match depth {
        16 => [format!("share {}", shown(SHARE_GOAL)), at_least(SHARE_GOAL, share)],
        _ => Default::default(),
    });
    row
}

/// `None`: the server does not have the mode.
fn stretch(
    server: &Server,
    mode: Mode,
    depth: usize,
    scale: &Scale,
) -> io::Result<Option<Figures>> {
    let mut connection = server.connect()?;
    let mut load = Load::open(server.port(), CONNECTIONS, depth)?;
    let plain = sets(&mut load, scale)?;

    let script = format!(
        "GB('KeysReader').foreach(lambda r: execute('INCR', 'seen'))\
         .register(prefix='key:*', eventTypes=['set'], mode='{}')",
        mode.name()
    );
    if !register(&mut connection, &script)? {
        return Ok(None);
    }
    connection.call(&["DEL", "seen"])?;
    let with_it = sets(&mut load, scale)?;
    let (handled, left) = wait_for(&mut connection, "seen", with_it.commands)?;
    unregister_all(&mut connection)?;
    Ok(Some([
        plain.per_second(),
        with_it.per_second(),
        with_it.per_second() / plain.per_second(),
        left.as_secs_f64(),
        handled as f64 / with_it.commands as f64,
    ]))
}

fn sets(load: &mut Load, scale: &Scale) -> io::Result<Stretch> {
    let mut random = Xorshift::new(1);
    load.run_for(scale.wall, |out| {
        encode(out, &[b"SET", &key(b"key:", random.below(scale.keys)), &VALUE]);
    })
}

/// Until a counter has reached its goal, or has not moved for long: what it then says, and when it got there.
pub(super) fn wait_for(
    connection: &mut Connection,
    counter: &str,
    goal: u64,
) -> io::Result<(u64, Duration)> {
    const STANDSTILL: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(120);

    let start = Instant::now();
    let (mut last, mut moved) = (0, start);
    loop {
        let count = connection.call_integer(&["GET", counter])?.unsigned_abs();
        if count != last {
            (last, moved) = (count, Instant::now());
        }
        if count >= goal || moved.elapsed() > STANDSTILL || start.elapsed() > LONGEST {
            return Ok((count, moved - start));
        }
        sleep(Duration::from_millis(1));
    }
}
