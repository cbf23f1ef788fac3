use std::time::Instant;

use crate::demo::Stage;
use crate::demo::failure::{Result, check};
use crate::demo::page::{count, duration, rate};
use crate::demo::texts::Text;

/// Loads the library: a string for every line, a hash for every file.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    let library = stage.library;
    stage.page.title("1  Data")?;
    stage.page.say(&format!("Loaded: {}.", library.description))?;
    stage.page.say("A string line:<file>:<n> for every line that is not blank, a hash file:<file> for every file.")?;
    stage.page.gap()?;

    let lines = library.lines().map(|(text, number, line)| {
        vec!["SET".to_owned(), key(&text.name, number), line.to_owned()]
    });
    let files = library.texts.iter().map(file);
    let mut connection = stage.connect()?;
    let started = Instant::now();
    let commands = connection.pipeline(lines.chain(files))?;
    let time = started.elapsed();
    check("keys after loading", connection.number(&["DBSIZE"])?, commands as i64)?;

    let files = library.texts.len();
    let bytes: usize = library.texts.iter().map(|text| text.content.len()).sum();
    stage.page.figure("files", &count(files), &format!("{} kB", count(bytes / 1000)))?;
    stage.page.figure("lines", &count(commands - files), "")?;
    stage.page.figure(
        "loaded in",
        &duration(time),
        &format!("{}, pipelined", rate(commands, time, "commands")),
    )?;
    Ok(())
}

pub(super) fn key(file: &str, number: usize) -> String {
    format!("line:{file}:{number}")
}

fn file(text: &Text) -> Vec<String> {
    let (lines, bytes) = (text.lines().count().to_string(), text.content.len().to_string());
    let words = [
        "HSET",
        &format!("file:{}", text.name),
        "name",
        &text.name,
        "lines",
        &lines,
        "bytes",
        &bytes,
    ];
    words.map(str::to_owned).to_vec()
}
