//! A script that runs once and is forgotten: what a session costs from its start to its end.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::bench::figures::{at_most, milliseconds, percentile, shown};
use crate::bench::options::Options;
use crate::bench::server::{Kind, Place, Server};
use crate::bench::table::Table;

const GOAL_MS: f64 = 1.0;

/// Long enough for the server to have another interpreter ready.
const PAUSE: Duration = Duration::from_millis(20);

const SCRIPTS: [&str; 2] = ["x = 1", "GB('ShardsIDReader').run()"];

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let server = Server::start(Kind::Mainspring, Place::Anywhere)?;
    let mut connection = server.connect()?;
    let mut rows = Vec::new();
    for script in SCRIPTS {
        for (pace, pause) in [("20 ms apart", Some(PAUSE)), ("back to back", None)] {
            let mut times = Vec::new();
            for _ in 0..options.scale.calls {
                pause.map_or_else(Default::default, sleep);
                let start = Instant::now();
                connection.call(&["RG.PYEXECUTE", script])?;
                times.push(start.elapsed());
            }
            let half = milliseconds(percentile(&mut times, 0.5));
            rows.push(vec![
                format!("`{script}`, {pace}"),
                shown(half),
                shown(milliseconds(percentile(&mut times, 0.99))),
                format!("at most {GOAL_MS} ms"),
                at_most(GOAL_MS, half),
            ]);
        }
    }
    Ok(Table {
        title: "A script that runs once",
        method: format!(
            "RG.PYEXECUTE of {} scripts in turn, each in a session of its own. The goal is for half of them.",
            options.scale.calls
        ),
        headers: &["script", "p50 ms", "p99 ms", "goal", ""],
        rows,
    })
}
