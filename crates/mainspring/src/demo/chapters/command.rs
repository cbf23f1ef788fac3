use std::collections::HashMap;
use std::time::Instant;

use super::key_trigger::new_lines;
use super::patience::median;
use crate::demo::failure::{Failure, Result, check};
use crate::demo::page::{self, count, duration};
use crate::demo::{Stage, connection, scripts, texts};

const CALLS: usize = 300;

/// A function that clients call by name.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("6  A command of its own: find lines by their words")?;
    stage.page.quote(scripts::FIND)?;
    stage.connect()?.execute(scripts::FIND)?;

    let lines = new_lines(stage);
    let (one, other) =
        pair_of_words(&lines).ok_or_else(|| Failure::new("no line has two words"))?;
    let request = ["RG.TRIGGER", "find", &one, &other];
    let mut connection = stage.connect()?;
    let mut times = Vec::with_capacity(CALLS);
    let mut found = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        found = connection::texts(connection.call(&request)?)?;
        times.push(started.elapsed());
    }

    let has_both = |line: &str| {
        let has = |wanted: &str| texts::words(line).any(|word| word == wanted);
        has(&one) && has(&other)
    };
    let right = lines.iter().filter(|(_, line)| has_both(line));
    let mut keys: Vec<String> = right.map(|(key, _)| key.clone()).collect();
    keys.sort_unstable();
    found.sort_unstable();
    check("the lines that have both words", &found, &keys)?;

    stage.page.figure(&request.join(" "), &count(found.len()), "lines")?;
    let shown = found.iter().take(2).filter_map(|key| {
        let (key, line) = lines.iter().find(|(name, _)| name == key)?;
        Some(format!("{key}: {}\n", page::shortened(line.trim())))
    });
    stage.page.quote(&shown.collect::<String>())?;
    stage.page.figure(
        &format!("{} calls: p50", count(CALLS)),
        &duration(median(times)),
        "from call to reply",
    )?;
    Ok(())
}

/// The two words that most lines have in common.
fn pair_of_words(lines: &[(String, &str)]) -> Option<(String, String)> {
    let mut pairs: HashMap<(String, String), usize> = HashMap::new();
    for (_, line) in lines {
        let mut words: Vec<String> = texts::words(line).collect();
        words.sort_unstable();
        words.dedup();
        for (index, one) in words.iter().enumerate() {
            for other in &words[index + 1..] {
                *pairs.entry((one.clone(), other.clone())).or_default() += 1;
            }
        }
    }
    let mut pairs: Vec<(usize, (String, String))> =
        pairs.into_iter().map(|(pair, n)| (n, pair)).collect();
    pairs.sort_unstable();
    pairs.pop().map(|(_, pair)| pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_pair_of_words_is_found() {
        let line = |text: &'static str| (String::new(), text);
        let lines = [line("spring gear wheel"), line("gear wheel"), line("wheel spring gear gear")];
        assert_eq!(pair_of_words(&lines), Some(("gear".into(), "wheel".into())));
        assert_eq!(pair_of_words(&[line("alone")]), None);
    }
}
