use std::collections::BTreeMap;
use std::time::Instant;

use super::patience::until;
use crate::demo::connection::texts;
use crate::demo::failure::{Failure, Result, check};
use crate::demo::page::{count, duration, rate};
use crate::demo::{Stage, scripts};

/// An entry of a stream starts a function; each entry is handled once and then leaves the stream.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("5  A trigger on a stream: an entry for every file, added up by kind")?;
    stage.page.quote(scripts::KINDS)?;
    stage.connect()?.execute(scripts::KINDS)?;

    let library = stage.library;
    let mut lines_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut entries = Vec::with_capacity(library.texts.len());
    for text in &library.texts {
        let lines = text.lines().count();
        *lines_of.entry(text.kind().to_owned()).or_default() += lines;
        let entry = [
            "XADD",
            "loads",
            "*",
            "file",
            &text.name,
            "kind",
            text.kind(),
            "lines",
            &lines.to_string(),
        ];
        entries.push(entry.map(str::to_owned).to_vec());
    }

    let mut connection = stage.connect()?;
    let started = Instant::now();
    let sent = connection.pipeline(entries)?;
    until("the stream is empty", || Ok(connection.number(&["XLEN", "loads"])? == 0))?;
    let time = started.elapsed();

    let added_up = texts(connection.call(&["HGETALL", "lines"])?)?;
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    for pair in added_up.chunks_exact(2) {
        let lines = pair[1].parse().map_err(|_| Failure::new(format!("{pair:?} is no sum")))?;
        came.insert(pair[0].clone(), lines);
    }
    check("lines by kind", &came, &lines_of)?;
    for (kind, lines) in &came {
        stage.page.figure(&format!("*.{kind}"), &count(*lines), "lines")?;
    }
    stage.page.figure(
        &format!("{} entries", count(sent)),
        &duration(time),
        &rate(sent, time, "entries"),
    )?;
    Ok(())
}
