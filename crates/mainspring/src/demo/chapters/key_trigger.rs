use std::time::{Duration, Instant};

use super::data::key;
use super::patience::{median, until};
use crate::demo::failure::{Result, check};
use crate::demo::page::{count, duration, rate};
use crate::demo::{Stage, scripts};

const ONE_BY_ONE: usize = 200;
const TOGETHER_MAX: usize = 1000;

/// The new lines' file: copies of lines that are there, so that their words are real.
pub(super) const FILE: &str = "new";

/// An event on a key starts a function.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("4  A trigger on keys: every new line goes to an index of words")?;
    stage.page.quote(scripts::INDEX)?;
    stage.connect()?.execute(scripts::INDEX)?;

    let lines = new_lines(stage);
    let (slowly, quickly) = lines.split_at(ONE_BY_ONE.min(lines.len()));
    let mut connection = stage.connect()?;
    let mut times = Vec::with_capacity(slowly.len());
    for (key, line) in slowly {
        let started = Instant::now();
        connection.queue(&["SET", key, line]);
        connection.queue(&["BLPOP", "indexed", "60"]);
        connection.flush()?;
        connection.receive()?;
        connection.receive()?;
        times.push(started.elapsed());
    }
    let half = median(times);
    stage.page.figure(
        &format!("{} lines, one after the other: p50", count(slowly.len())),
        &duration(half),
        "from the SET until the line is in the index",
    )?;

    let time = together(stage, quickly)?;
    stage.page.figure(
        &format!("{} lines at once", count(quickly.len())),
        &duration(time),
        &rate(quickly.len(), time, "lines"),
    )?;
    Ok(())
}

fn together(stage: &Stage<'_>, lines: &[(String, &str)]) -> Result<Duration> {
    let mut connection = stage.connect()?;
    let started = Instant::now();
    connection.pipeline(lines.iter().map(|(key, line)| vec!["SET", key, line]))?;
    until("all new lines are indexed", || {
        Ok(connection.number(&["LLEN", "indexed"])? >= lines.len() as i64)
    })?;
    let time = started.elapsed();
    check("lines indexed", connection.number(&["LLEN", "indexed"])?, lines.len() as i64)?;
    Ok(time)
}

/// Key and text of the lines that come while the trigger is there.
pub(super) fn new_lines<'a>(stage: &Stage<'a>) -> Vec<(String, &'a str)> {
    let lines = stage.library.lines().take(ONE_BY_ONE + TOGETHER_MAX).enumerate();
    lines.map(|(index, (_, _, line))| (key(FILE, index + 1), line)).collect()
}
