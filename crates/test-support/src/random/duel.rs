use std::io;

use super::generator::{Comparison, Generator, RandomCommand, Step};
use crate::client::Client;
use crate::order::Order;
use crate::reply::Reply;
use crate::wire::Connect;

/// Sends `length` random steps to both servers. If they differ, the error shows the shortest run found that still does,
/// with what each of them said.
pub fn duel(
    left: &dyn Connect,
    right: &dyn Connect,
    seed: u64,
    length: usize,
) -> Result<(), String> {
    let mut generator = Generator::seeded(seed);
    let steps: Vec<Step> = (0..length).map(|_| generator.step()).collect();
    let fight =
        |steps: &[Step]| first_difference(left, right, steps).map_err(|error| error.to_string());

    if fight(&steps)?.is_none() {
        return Ok(());
    }
    let shortest = shrink(steps, |steps| Ok(fight(steps)?.is_some()))?;
    let commands: String =
        shortest.iter().flatten().map(|command| format!("  {command}\n")).collect();
    let difference = match fight(&shortest)? {
        Some(difference) => difference.to_string(),
        None => "they differ in one run and agree in the next".into(),
    };
    Err(format!("seed {seed}, shrunk to:\n{commands}{difference}"))
}

struct Difference {
    command: String,
    left: Reply,
    right: Reply,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "{}\n- {}\n+ {}", self.command, self.left, self.right)
    }
}

struct Pair {
    left: Client,
    right: Client,
}

impl Pair {
    fn compare(&mut self, command: &RandomCommand) -> io::Result<Result<Reply, Difference>> {
        // Both at once: what waits for a timeout waits for it once.
        self.left.send(&command.words)?;
        self.right.send(&command.words)?;
        let (left, right) = (self.left.expect_reply()?, self.right.expect_reply()?);
        let (left, right, same) = command.comparison.compare(left, right);
        Ok(if same {
            Ok(left)
        } else {
            Err(Difference { command: command.to_string(), left, right })
        })
    }
}

fn first_difference(
    left: &dyn Connect,
    right: &dyn Connect,
    steps: &[Step],
) -> io::Result<Option<Difference>> {
    let mut pair = Pair { left: Client::open(left)?, right: Client::open(right)? };
    pair.left.call(&["FLUSHALL"])?;
    pair.right.call(&["FLUSHALL"])?;
    for command in steps.iter().flatten() {
        if let Err(difference) = pair.compare(command)? {
            return Ok(Some(difference));
        }
    }
    first_difference_in_data(&mut pair)
}

/// Everything that both keep, read key by key in the way of its type.
fn first_difference_in_data(pair: &mut Pair) -> io::Result<Option<Difference>> {
    // No command may be left queued.
    let mut questions = vec![RandomCommand::exact(&["DISCARD"])];
    for database in ["0", "1"] {
        questions.push(RandomCommand::exact(&["SELECT", database]));
        questions.push(RandomCommand::ordered(Order::Elements, &["KEYS", "*"]));
        for question in std::mem::take(&mut questions) {
            let answer = match pair.compare(&question)? {
                Ok(answer) => answer,
                Err(difference) => return Ok(Some(difference)),
            };
            let Reply::Array(keys) = answer else { continue };
            for key in keys {
                let Reply::Bulk(key) = key else { continue };
                if let Some(difference) = first_difference_in_key(pair, &key)? {
                    return Ok(Some(difference));
                }
            }
        }
    }
    Ok(None)
}

fn first_difference_in_key(pair: &mut Pair, key: &[u8]) -> io::Result<Option<Difference>> {
    let about = |name: &str, rest: &[&str], comparison| {
        let mut words = vec![name.as_bytes().to_vec(), key.to_vec()];
        words.extend(rest.iter().map(|word| word.as_bytes().to_vec()));
        RandomCommand { words, comparison }
    };
    let exact = Comparison::Exact(Order::AsIs);
    let kind = match pair.compare(&about("TYPE", &[], exact))? {
        Ok(kind) => kind.to_string(),
        Err(difference) => return Ok(Some(difference)),
    };
    let mut questions = vec![about("PTTL", &[], Comparison::About)];
    match kind.as_str() {
        "string" => questions.push(about("GET", &[], exact)),
        "list" => questions.push(about("LRANGE", &["0", "-1"], exact)),
        "hash" => questions.push(about("HGETALL", &[], Comparison::Exact(Order::Pairs))),
        "set" => questions.push(about("SMEMBERS", &[], Comparison::Exact(Order::Elements))),
        "zset" => questions.push(about("ZRANGE", &["0", "-1", "WITHSCORES"], exact)),
        "stream" => questions.push(about("XRANGE", &["-", "+"], exact)),
        other => unreachable!("a key that was just listed is of type {other}"),
    }
    for question in &questions {
        if let Err(difference) = pair.compare(question)? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

/// Leaves out what can be left out while `fails` still holds: halves first, then ever smaller stretches.
fn shrink<T: Clone>(
    mut items: Vec<T>,
    fails: impl Fn(&[T]) -> Result<bool, String>,
) -> Result<Vec<T>, String> {
    let mut stretch = items.len().div_ceil(2);
    while stretch > 0 {
        let mut start = 0;
        while start < items.len() {
            let end = (start + stretch).min(items.len());
            let rest = [&items[..start], &items[end..]].concat();
            if fails(&rest)? {
                items = rest;
            } else {
                start = end;
            }
        }
        stretch /= 2;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn shrinking_leaves_only_what_the_failure_needs() {
        let needs_3_and_70 = |items: &[i32]| Ok(items.contains(&3) && items.contains(&70));
        assert_eq!(shrink((0..100).collect(), needs_3_and_70), Ok(vec![3, 70]));
    }
}
