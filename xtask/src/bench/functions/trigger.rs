//! RG.TRIGGER: a function as a command.

use std::io;

use super::peer;
use super::registration::{MODES, Mode, register};
use crate::bench::command::encode;
use crate::bench::figures::{at_least, at_most, medians, milliseconds, percentile, ratio, shown};
use crate::bench::load::{CONNECTIONS, Load};
use crate::bench::options::{Options, Scale};
use crate::bench::server::{Kind, Place, Server};
use crate::bench::table::Table;

/// Connections, and requests in flight on each.
const LOADS: [(usize, usize); 3] = [(1, 1), (CONNECTIONS, 1), (CONNECTIONS, 16)];

/// What a function is to reach under a load.
#[derive(Clone, Copy)]
enum Goal {
    /// Half of the calls, in milliseconds.
    Half(f64),
    PerSecond(f64),
}

impl Goal {
    fn shown(self) -> String {
        match self {
            Goal::Half(ms) => format!("p50 at most {ms} ms"),
            Goal::PerSecond(rate) => format!("{} calls/s", shown(rate)),
        }
    }

    fn verdict(self, per_second: f64, half_ms: f64) -> String {
        match self {
            Goal::Half(ms) => at_most(ms, half_ms),
            Goal::PerSecond(rate) => at_least(rate, per_second),
        }
    }
}

struct Function {
    what: &'static str,
    callback: &'static str,
    peer: [&'static peer::Trigger; 2],
    /// By load.
    goals: [Option<Goal>; LOADS.len()],
}

const FUNCTIONS: [Function; 2] = [
    Function {
        what: "a constant",
        callback: "lambda r: 'hello'",
        peer: [&peer::CONSTANT_ASYNC, &peer::CONSTANT_SYNC],
        goals: [Some(Goal::Half(0.055)), None, Some(Goal::PerSecond(400e3))],
    },
    Function {
        what: "HINCRBY and GET",
        callback: "lambda r: (execute('HINCRBY', 'calls', 'n', '1'), execute('GET', 'text'))[1]",
        peer: [&peer::DATA_ASYNC, &peer::DATA_SYNC],
        goals: [None, Some(Goal::PerSecond(100e3)), Some(Goal::PerSecond(100e3))],
    },
];

/// A function in a mode, as it was registered.
struct Subject {
    function: &'static Function,
    mode: Mode,
    trigger: String,
    is_there: bool,
}

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let server = Server::start(Kind::Mainspring, Place::Anywhere)?;
    let mut connection = server.connect()?;
    connection.call(&["SET", "text", "hello"])?;
    let mut subjects = Vec::new();
    for (number, function) in FUNCTIONS.iter().enumerate() {
        for mode in MODES {
            let trigger = format!("{}{number}", mode.name());
            let script = format!(
                "GB('CommandReader').map({}).register(trigger='{trigger}', mode='{}')",
                function.callback,
                mode.name()
            );
            let is_there = register(&mut connection, &script)?;
            subjects.push(Subject { function, mode, trigger, is_there });
        }
    }

    let mut figures = vec![[const { Vec::new() }; LOADS.len()]; subjects.len()];
    for _ in 0..options.rounds {
        for (subject, by_load) in subjects.iter().zip(&mut figures) {
            for (&load, rounds) in LOADS.iter().zip(by_load) {
                if subject.is_there {
                    rounds.push(stretch(&server, &subject.trigger, load, &options.scale)?);
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (subject, by_load) in subjects.iter().zip(&figures) {
        for (index, rounds) in by_load.iter().enumerate() {
            rows.push(row(subject, index, rounds));
        }
    }
    Ok(Table {
        title: "RG.TRIGGER",
        method: format!(
            "Load from one thread, {} s a figure. Times are from sending a batch of the depth to having read all its \
             answers. CPU is that of the server and its workers. {} Its times are for one connection.",
            options.scale.wall.as_secs_f64(),
            peer::CREDIT
        ),
        headers: &[
            "function",
            "connections x depth",
            "calls/s",
            "p50 ms",
            "p99 ms",
            "CPU us/call",
            "peer calls/s",
            "peer p50 / p99 ms",
            "ratio",
            "goal",
            "",
        ],
        rows,
    })
}

/// Calls a second, half and 99 of 100 in milliseconds, microseconds of processor a call.
fn stretch(
    server: &Server,
    trigger: &str,
    (connections, depth): (usize, usize),
    scale: &Scale,
) -> io::Result<[f64; 4]> {
    let mut load = Load::open(server.port(), connections, depth)?;
    let cpu = server.cpu_with_workers()?;
    let mut stretch =
        load.run_for(scale.wall, |out| encode(out, &[b"RG.TRIGGER", trigger.as_bytes()]))?;
    let cpu = server.cpu_with_workers()?.saturating_sub(cpu);
    Ok([
        stretch.per_second(),
        milliseconds(percentile(&mut stretch.batch_times, 0.5)),
        milliseconds(percentile(&mut stretch.batch_times, 0.99)),
        cpu.as_secs_f64() * 1e6 / stretch.commands as f64,
    ])
}

fn row(subject: &Subject, index: usize, rounds: &[[f64; 4]]) -> Vec<String> {
    let (connections, depth) = LOADS[index];
    let [asynchronous, synchronous] = subject.function.peer;
    let peer = subject.mode.of(asynchronous, synchronous);
    let peer_rate = peer.per_second[index];
    let ours = if subject.is_there {
        let [per_second, half, most, cpu_us] = medians(rounds);
        [shown(per_second), milliseconds_shown(half), milliseconds_shown(most), shown(cpu_us)]
    } else {
        ["not there yet", "", "", ""].map(str::to_owned)
    };
    let mut row = vec![
        format!("{}, {}", subject.function.what, subject.mode.name()),
        format!("{connections} x {depth}"),
    ];
    row.extend(ours);
    row.push(shown(peer_rate));
    row.push(if index == 0 {
        format!("{:.3} / {:.3}", peer.single_ms[0], peer.single_ms[1])
    } else {
        String::new()
    });
    row.push(if subject.is_there { ratio(medians(rounds)[0] / peer_rate) } else { String::new() });
    let goal = subject.function.goals[index];
    row.push(goal.map(Goal::shown).unwrap_or_default());
    row.push(match goal {
        Some(goal) if subject.is_there => {
            let [per_second, half, ..] = medians(rounds);
            goal.verdict(per_second, half)
        }
        _ => String::new(),
    });
    row
}

/// Times of one call are in the hundredths.
fn milliseconds_shown(time: f64) -> String {
    if time < 1.0 { format!("{time:.3}") } else { shown(time) }
}
