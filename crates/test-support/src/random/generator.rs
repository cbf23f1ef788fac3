use std::fmt;

use super::templates::{ANY_KEY, ODD, ODD_SLOTS, TEMPLATES, arguments, keys};
use super::xorshift::Xorshift;
use crate::order::Order;
use crate::reply::Reply;
use crate::words::quote;

/// One command and how its reply is compared.
#[derive(Clone)]
pub(crate) struct RandomCommand {
    pub(crate) words: Vec<Vec<u8>>,
    pub(crate) comparison: Comparison,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Comparison {
    Exact(Order),
    /// A number that two servers read off their clocks a moment apart.
    About,
}

/// Commands that stand or fall together: one alone, or a whole transaction.
pub(crate) type Step = Vec<RandomCommand>;

pub(crate) struct Generator {
    chance: Xorshift,
}

impl Generator {
    pub(crate) fn seeded(seed: u64) -> Generator {
        Generator { chance: Xorshift::seeded(seed) }
    }

    pub(crate) fn step(&mut self) -> Step {
        if self.chance.percent(3) { self.transaction() } else { vec![self.command()] }
    }

    fn transaction(&mut self) -> Step {
        let mut step = Vec::new();
        if self.chance.percent(30) {
            step.push(RandomCommand::exact(&["WATCH", self.chance.pick(ANY_KEY)]));
        }
        step.push(RandomCommand::exact(&["MULTI"]));
        for _ in 0..1 + self.chance.below(4) {
            // EXEC's reply holds theirs, in which no order can be restored.
            let queued = loop {
                let command = self.command();
                if command.comparison == Comparison::Exact(Order::AsIs) {
                    break command;
                }
            };
            step.push(queued);
        }
        step.push(RandomCommand::exact(&[if self.chance.percent(85) {
            "EXEC"
        } else {
            "DISCARD"
        }]));
        step
    }

    fn command(&mut self) -> RandomCommand {
        let template = self.chance.pick(TEMPLATES);
        let (comparison, template) = match template.split_once("> ") {
            Some(("about", rest)) => (Comparison::About, rest),
            Some((directive, rest)) if Order::named(directive).is_some() => {
                (Comparison::Exact(Order::named(directive).expect("it was asked for above")), rest)
            }
            _ => (Comparison::Exact(Order::AsIs), template),
        };
        let mut words = Vec::new();
        for word in template.split(' ') {
            self.expand(word, &mut words);
        }
        self.spoil(&mut words);
        RandomCommand { words: words.into_iter().map(String::into_bytes).collect(), comparison }
    }

    /// A word too few or too many, now and then.
    fn spoil(&mut self, words: &mut Vec<String>) {
        // Without its count, or with another argument of 7.2, these would answer by chance or by version.
        let is_sensitive = matches!(
            words[0].as_str(),
            "SPOP"
                | "SRANDMEMBER"
                | "HRANDFIELD"
                | "ZRANDMEMBER"
                | "BITCOUNT"
                | "ZRANK"
                | "ZREVRANK"
                | "SSCAN"
                | "HSCAN"
                | "ZSCAN"
        );
        if is_sensitive {
            return;
        }
        if self.chance.percent(2) && words.len() > 1 {
            words.pop();
        } else if self.chance.percent(2) {
            words.push("extra".into());
        }
    }

    fn expand(&mut self, word: &str, words: &mut Vec<String>) {
        if let Some(choices) = word.strip_prefix('[') {
            let (choices, is_optional) = match choices.strip_suffix("]?") {
                Some(choices) => (choices, true),
                None => (choices.strip_suffix(']').expect("a choice is closed"), false),
            };
            if is_optional && self.chance.percent(60) {
                return;
            }
            let choices: Vec<&str> = choices.split('|').collect();
            let chosen = self.chance.pick(&choices);
            // A slot's name has underscores of its own.
            let chosen = chosen
                .replace('_', " ")
                .replace("unix seconds", "unix_seconds")
                .replace("unix ms", "unix_ms");
            for part in chosen.split(' ') {
                self.expand(part, words);
            }
            return;
        }
        let (slot, times) = match word.strip_suffix("}+") {
            Some(open) => (open.strip_prefix('{'), 1 + self.chance.below(3)),
            None => (word.strip_prefix('{').and_then(|open| open.strip_suffix('}')), 1),
        };
        match slot {
            None => words.push(word.into()),
            Some(slot) => (0..times).for_each(|_| self.fill(slot, words)),
        }
    }

    fn fill(&mut self, slot: &str, words: &mut Vec<String>) {
        let parts: &[&str] = match slot {
            "string_value" => &["string", "value"],
            "field_value" => &["field", "value"],
            "score_member" => &["score", "element"],
            _ => &[slot],
        };
        for part in parts {
            // Elsewhere a HyperLogLog's bytes differ, and ranges of members mean nothing where scores do.
            let stays = matches!(*part, "hyperloglog" | "level");
            let choices =
                if *part == "any" || (keys(part).is_some() && !stays && self.chance.percent(6)) {
                    ANY_KEY
                } else if ODD_SLOTS.contains(part) && self.chance.percent(6) {
                    ODD
                } else {
                    keys(part)
                        .or_else(|| arguments(part))
                        .unwrap_or_else(|| panic!("there is no slot {part}"))
                };
            words.push(self.chance.pick(choices).into());
        }
    }
}

impl RandomCommand {
    pub(crate) fn exact(words: &[&str]) -> RandomCommand {
        RandomCommand::ordered(Order::AsIs, words)
    }

    pub(crate) fn ordered(order: Order, words: &[&str]) -> RandomCommand {
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        RandomCommand { words, comparison: Comparison::Exact(order) }
    }
}

impl Comparison {
    /// Both replies as they are to be shown, and whether they say the same.
    pub(crate) fn compare(self, left: Reply, right: Reply) -> (Reply, Reply, bool) {
        match (self, &left, &right) {
            (Comparison::About, Reply::Integer(a), Reply::Integer(b)) => {
                let slack = 2 + a.unsigned_abs() / 500;
                let same = a == b || (*a > 0 && *b > 0 && a.abs_diff(*b) <= slack);
                (left, right, same)
            }
            (Comparison::About, ..) => {
                let same = left == right;
                (left, right, same)
            }
            (Comparison::Exact(order), ..) => {
                let (left, right) = (order.canonical(left), order.canonical(right));
                let same = left == right;
                (left, right, same)
            }
        }
    }
}

impl fmt::Display for RandomCommand {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            let is_plain = !word.is_empty()
                && word.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
            if is_plain {
                write!(out, "{space}{}", String::from_utf8_lossy(word))?;
            } else {
                write!(out, "{space}{}", quote(word))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Generator, Reply};

    fn run(seed: u64, length: usize) -> Vec<String> {
        let mut generator = Generator::seeded(seed);
        (0..length).flat_map(|_| generator.step()).map(|command| command.to_string()).collect()
    }

    #[test]
    fn a_seed_gives_the_same_commands_again() {
        assert_eq!(run(1, 200), run(1, 200));
        assert_ne!(run(1, 200), run(2, 200));
    }

    #[test]
    fn every_template_can_be_expanded() {
        let commands = run(3, 20_000);
        for unexpanded in ['{', '|'] {
            assert!(!commands.iter().any(|command| command.contains(unexpanded)));
        }
    }

    #[test]
    fn a_time_to_live_may_differ_a_little_but_not_in_being_there() {
        let same = |a, b| Comparison::About.compare(Reply::Integer(a), Reply::Integer(b)).2;
        assert!(same(1000, 999));
        assert!(same(-1, -1));
        assert!(!same(1000, 900));
        assert!(!same(-1, -2));
        assert!(!same(1, -1));
    }
}
