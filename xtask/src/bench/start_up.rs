//! How long after its start a server answers, and what it takes while it is empty.

use std::io;

use super::figures::{at_most, medians, milliseconds, ratio, shown};
use super::options::Options;
use super::server::{BOTH, Kind, Place, Server};
use super::table::Table;

const GOAL_MS: f64 = 3.0;

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    let mut times: Vec<[f64; 3]> = Vec::new();
    for _ in 0..options.scale.starts {
        let ours = milliseconds(Server::time_to_first_pong(BOTH[0])?);
        let redis = milliseconds(Server::time_to_first_pong(BOTH[1])?);
        times.push([ours, redis, ours / redis]);
    }
    let [ours, redis, share] = medians(&times);

    let [ours_empty, redis_empty] = [empty_mebibytes(BOTH[0])?, empty_mebibytes(BOTH[1])?];
    Ok(Table {
        title: "Start",
        method: format!(
            "From starting the program to reading the answer to a first PING, asked again every 50 us; median of {}. \
             The resident set is the server process's, without workers.",
            options.scale.starts
        ),
        headers: &["what", "Mainspring", "Redis", "ratio", "goal", ""],
        rows: vec![
            vec![
                "first PONG, ms".into(),
                shown(ours),
                shown(redis),
                ratio(share),
                format!("at most {GOAL_MS} ms"),
                at_most(GOAL_MS, ours),
            ],
            vec![
                "empty, MiB resident".into(),
                shown(ours_empty),
                shown(redis_empty),
                ratio(ours_empty / redis_empty),
                String::new(),
                String::new(),
            ],
        ],
    })
}

fn empty_mebibytes(kind: Kind) -> io::Result<f64> {
    let server = Server::start(kind, Place::Anywhere)?;
    Ok(server.resident()? as f64 / f64::from(1 << 20))
}
