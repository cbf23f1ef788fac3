//! Names in a `register()` that nobody knows. They do nothing, which is seldom what was meant: each is told, with the
//! name it most likely stands for.

use super::Trigger;
use crate::plan::Argument;

/// What every reader takes, or has taken in some version.
const COMMON: [&str; 5] = ["prefix", "regex", "mode", "noScan", "onRegistered"];
const KEYS: [&str; 4] = ["eventTypes", "keyTypes", "readValue", "commands"];
const STREAM: [&str; 5] =
    ["batch", "duration", "onFailedPolicy", "onFailedRetryInterval", "trimStream"];
const COMMAND: [&str; 4] = ["trigger", "inorder", "hook", "keyprefix"];

/// What seems not to be meant, in words for whoever wrote it. `events`: those that the host knows.
pub(crate) fn doubts(
    trigger: &Trigger,
    kwargs: &[(String, Argument)],
    events: &[&str],
) -> Vec<String> {
    let own: &[&str] = match trigger {
        Trigger::Keys(_) => &KEYS,
        Trigger::Stream(_) => &STREAM,
        Trigger::Command(_) => &COMMAND,
    };
    let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    let mut doubts: Vec<String> = kwargs
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, _)| told("register() knows no argument", name, &known))
        .collect();
    if let Trigger::Keys(keys) = trigger {
        let wanted = keys.events.iter().flatten();
        let unknown = wanted.filter(|event| !events.contains(&&***event));
        doubts.extend(unknown.map(|event| told("there is no event", event, events)));
    }
    doubts
}

fn told(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(meant) => format!("{what} '{name}': is '{meant}' meant?"),
        None => format!("{what} '{name}'"),
    }
}

/// The known name that takes the fewest changes, if those are few.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let changes = |known: &str| distance(name.as_bytes(), known.to_ascii_lowercase().as_bytes());
    let best = known.iter().map(|known| (changes(known), *known)).min()?;
    (best.0 <= 1 + name.len() / 4).then_some(best.1)
}

/// How many letters have to be put in, taken out or replaced.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stage, WORKER, plan, text};

    fn kwargs() -> Vec<(&'static str, Argument)> {
        let events = Argument::List(vec![text("set"), text("hsett"), text("nonsense")]);
        vec![("eventTypes", events), ("readvalue", Argument::Bool(false))]
    }

    #[test]
    fn names_that_do_nothing_are_logged_with_those_they_may_stand_for() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code ID a");
        stage.register(WORKER, 0, plan("KeysReader", &[]), &kwargs());
        assert_eq!(
            stage.host.logs,
            [
                "GEARS: [a] register() knows no argument 'readvalue': is 'readValue' meant?",
                "GEARS: [a] there is no event 'hsett': is 'hset' meant?",
                "GEARS: [a] there is no event 'nonsense'"
            ]
        );
    }

    #[test]
    fn whoever_wants_it_strict_has_them_refused() {
        let mut stage = Stage::new();
        stage.command("RG.CONFIGSET strict-registrations yes");
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.register(WORKER, 0, plan("KeysReader", &[]), &kwargs());
        let error = "register() knows no argument 'readvalue': is 'readValue' meant?";
        assert_eq!(stage.sent(), [format!("answer w0 t0 raise {error}")]);
    }

    #[test]
    fn a_distance_counts_single_changes() {
        assert_eq!(distance(b"hset", b"hset"), 0);
        assert_eq!(distance(b"hest", b"hset"), 2);
        assert_eq!(distance(b"", b"set"), 3);
        assert_eq!(distance(b"hsett", b"hset"), 1);
    }
}
