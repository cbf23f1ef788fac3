use std::collections::HashMap;
use std::time::Instant;

use crate::demo::failure::{Failure, Result, check};
use crate::demo::page::{count, duration, rate};
use crate::demo::{Stage, scripts, texts};

/// Counts words in Python, and once more here to see whether it is right.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("2  A function over all lines, in Python")?;
    stage.page.quote(scripts::WORD_COUNT)?;

    let mut connection = stage.connect()?;
    let started = Instant::now();
    let top = connection.execute(scripts::WORD_COUNT)?.faultless()?;
    let time = started.elapsed();

    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut lines = 0;
    for (_, _, line) in stage.library.lines() {
        lines += 1;
        for word in texts::words(line) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut highest: Vec<(usize, &str)> =
        counts.iter().map(|(word, n)| (*n, word.as_str())).collect();
    highest.sort_unstable_by(|one, other| other.cmp(one));
    let right: Vec<String> =
        highest.iter().take(5).map(|(n, word)| format!("{n} {word}")).collect();
    check("the most frequent words", &top, &right)?;

    for line in &top {
        let (number, word) =
            line.split_once(' ').ok_or_else(|| Failure::new("a count without a word"))?;
        stage.page.figure(word, &count(number.parse().unwrap_or_default()), "")?;
    }
    let words = counts.values().sum();
    stage.page.figure(
        "words in all",
        &count(words),
        &format!("{} different", count(counts.len())),
    )?;
    stage.page.figure(
        "took",
        &duration(time),
        &format!("{}, {}", rate(lines, time, "lines"), rate(words, time, "words")),
    )?;
    Ok(())
}
