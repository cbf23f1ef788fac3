//! rgsync's write-behind: what it costs the writer, how many rows a second it writes, and how late a row is.

use std::io;
use std::process::Command;

use super::figures::{medians, shown};
use super::options::{Options, Scale};
use super::server::{Kind, Place, Server};
use super::table::Table;
use crate::{prerequisites, root, target_directory, venvs};

const DATABASES: [&str; 2] = ["PostgreSQL", "SQLite"];
const LAG_SECONDS: &str = "10";

/// HSETs a second without the recipe and with it, rows a second, and the lag's median and 99th percentile.
type Figures = [f64; 5];

pub(super) fn measure(options: &Options) -> io::Result<Table> {
    prerequisites::install().map_err(io::Error::other)?;
    venvs::make_with_wheels("rgsync").map_err(io::Error::other)?;
    let mut rows = Vec::new();
    for database in DATABASES {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(round(database, &options.scale)?);
        }
        let mut row = vec![database.to_owned()];
        row.extend(medians(&rounds).map(shown));
        rows.push(row);
    }
    Ok(Table {
        title: "Write-behind with rgsync 1.2.0",
        method: format!(
            "{} HSETs of three fields, each a hash of its own, from one redis-py connection at depth 16, first on keys that \
             no recipe follows, then on those of a recipe with rgsync's own batch=100 and duration=100. Rows a second are \
             from the first HSET to the last row. The lag is from an HSET to the look at the table that shows its row \
             (every 2 ms), with 100 HSETs a second for {LAG_SECONDS} s; duration lets a row wait for up to 100 ms. The \
             databases are on the same machine, with their own durable settings, and share its cores.",
            shown(options.scale.rows as f64)
        ),
        headers: &[
            "database",
            "HSET/s without it",
            "HSET/s with it",
            "rows/s",
            "lag p50 ms",
            "lag p99 ms",
        ],
        rows,
    })
}

/// The program that measures makes the database, and checks that every row is there.
fn round(database: &str, scale: &Scale) -> io::Result<Figures> {
    let environment = target_directory().join("venvs/rgsync");
    let wheels = environment.join("wheels").to_string_lossy().into_owned();
    let arguments = ["--requirements-wheels", &wheels];
    let server = Server::start_with(Kind::Mainspring, Place::Anywhere, &arguments)?;
    let output = Command::new(environment.join("bin/python"))
        .arg("-B")
        .arg(root().join("tests/rgsync/measure.py"))
        .args([&server.port().to_string(), database, &scale.rows.to_string(), LAG_SECONDS])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures: Vec<f64> =
        said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    figures.try_into().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("measure.py said:\n{said}{errors}"))
    })
}
