//! A function that takes a stream's entries a hundred at a time while the stream grows.

use std::io;
use std::time::Instant;

use super::keys::wait_for;
use super::peer;
use super::registration::{MODES, Mode, register, unregister_all};
use crate::bench::command::encode;
use crate::bench::data::VALUE;
use crate::bench::figures::{at_least, at_most, medians, ratio, shown};
use crate::bench::load::{CONNECTIONS, Load, Stretch};
use crate::bench::options::{Options, Scale};
use crate::bench::server::{Kind, Place, Server};
use crate::bench::table::Table;

const DEPTH: usize = 16;

/// Entries a second, and the work left after the last XADD: what the last entry waits for.
const HANDLED_GOAL: f64 = 600e3;
const LEFT_GOAL_S: f64 = 0.05;

/// Plain XADDs a second, XADDs a second with the function, entries handled a second, seconds of work left after the last
/// XADD, and the share of entries that were handled.
type Figures = [f64; 5];

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let server = Server::start(Kind::Mainspring, Place::Anywhere)?;
    let mut rows = Vec::new();
    for mode in MODES {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let Some(figures) = stretch(&server, mode, &options.scale)? else { break };
            rounds.push(figures);
        }
        rows.push(row(mode, mode.of(peer::STREAM_ASYNC, peer::STREAM_SYNC), &rounds));
    }
    Ok(Table {
        title: "XADD with a StreamReader function, batch=100",
        method: format!(
            "{} XADDs of one field, {CONNECTIONS} connections at depth {DEPTH} from one thread; the function counts its \
             batch and adds the number to a key. Entries handled a second are from the first XADD to the last entry. \
             The ratios are for XADD/s and handled/s. {}",
            shown(options.scale.stream_entries as f64),
            peer::CREDIT
        ),
        headers: &[
            "mode",
            "plain XADD/s",
            "XADD/s with it",
            "handled/s",
            "work left s",
            "entries handled %",
            "peer XADD/s",
            "peer handled/s",
            "ratios",
            "goal",
            "",
        ],
        rows,
    })
}

fn row(mode: Mode, peer: [f64; 2], rounds: &[Figures]) -> Vec<String> {
    let mut row = vec![mode.name().into()];
    if rounds.is_empty() {
        row.extend(["", "not there yet", "", "", ""].map(str::to_owned));
        row.extend([shown(peer[0]), shown(peer[1]), String::new(), String::new(), String::new()]);
        return row;
    }
    let [plain, with_it, handled, left_s, share] = medians(rounds);
    row.extend([shown(plain), shown(with_it), shown(handled), shown(left_s), shown(share * 100.0)]);
    row.extend(peer.map(shown));
    row.push(format!("{} / {}", ratio(with_it / peer[0]), ratio(handled / peer[1])));
    row.push(format!("{} handled/s, at most {} s left", shown(HANDLED_GOAL), shown(LEFT_GOAL_S)));
    row.push(format!("{} / {}", at_least(HANDLED_GOAL, handled), at_most(LEFT_GOAL_S, left_s)));
    row
}

/// `None`: the server does not have the mode.
fn stretch(server: &Server, mode: Mode, scale: &Scale) -> io::Result<Option<Figures>> {
    let mut connection = server.connect()?;
    connection.call(&["DEL", "stream", "consumed"])?;
    let plain = adds(server, scale)?;
    connection.call(&["DEL", "stream"])?;

    let script = format!(
        "GB('StreamReader').count().foreach(lambda n: execute('INCRBY', 'consumed', n))\
         .register(prefix='stream', batch=100, mode='{}')",
        mode.name()
    );
    if !register(&mut connection, &script)? {
        return Ok(None);
    }
    let start = Instant::now();
    let with_it = adds(server, scale)?;
    let all = start.elapsed();
    let (handled, left) = wait_for(&mut connection, "consumed", with_it.commands)?;
    unregister_all(&mut connection)?;
    Ok(Some([
        plain.per_second(),
        with_it.per_second(),
        handled as f64 / (all + left).as_secs_f64(),
        left.as_secs_f64(),
        handled as f64 / with_it.commands as f64,
    ]))
}

/// In whole batches of the function, so that none waits for entries that do not come.
fn adds(server: &Server, scale: &Scale) -> io::Result<Stretch> {
    let mut load = Load::open(server.port(), CONNECTIONS, DEPTH)?;
    load.run_commands(scale.stream_entries, |out| {
        encode(out, &[b"XADD", b"stream", b"*", b"field", &VALUE[..16]]);
    })
}
