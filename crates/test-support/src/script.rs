//! A script reads as a conversation:
//!
//! ```text
//! # Prose: what this is about.
//! RPUSH queue a b
//! LPOP queue
//! ---
//! (integer) 2
//! "a"
//!
//! c2: start> BLPOP empty 0
//! RPUSH empty x
//! c2: await>
//! ---
//! (integer) 1
//! c2: ["empty", "x"]
//! ```
//!
//! A block ends with an empty line. A line is `[connection:] [directive>] command`; see [`Line`] for the directives.

use crate::order::Order;
use crate::words::split;

pub struct Script {
    pub(crate) sections: Vec<Section>,
}

pub(crate) enum Section {
    /// A comment or an empty line, kept when a script is rewritten.
    Prose(String),
    Block(Block),
}

pub(crate) struct Block {
    pub(crate) line_number: usize,
    pub(crate) lines: Vec<Line>,
    pub(crate) expected: Vec<String>,
}

pub(crate) struct Line {
    pub(crate) source: String,
    pub(crate) connection: String,
    /// `soon> COMMAND`: asked again until the reply is the expected one.
    pub(crate) soon: bool,
    pub(crate) act: Act,
}

pub(crate) enum Act {
    /// `COMMAND`, `soon> COMMAND`, `sort> COMMAND`, `pairs> …`, `scan> …`, `scan_pairs> …`
    Call(Order, Vec<Vec<u8>>),
    /// `start> COMMAND`: sent, its reply is left for `await>`.
    Start(Vec<Vec<u8>>),
    /// `await>`: whatever the connection receives next.
    Await,
    /// `quiet>`: shows what the connection receives although it should receive nothing.
    Quiet,
    /// `resp3>`: HELLO 3 without showing its reply.
    Resp3,
    /// `raw> "BYTES"`: the bytes as they are, then one reply.
    Raw(Vec<u8>),
    /// `close>`: the connection is closed from our side.
    Close,
    /// `sleep_ms> N`
    SleepMs(u64),
    /// `repeat> N COMMAND`: N times, `{i}` counting from 0; only the last reply is shown.
    Repeat(usize, Vec<Vec<u8>>),
}

impl Script {
    pub fn parse(text: &str) -> Result<Script, String> {
        let mut sections = Vec::new();
        let mut numbered = text.lines().enumerate().peekable();
        while let Some((index, line)) = numbered.next() {
            if line.trim().is_empty() || line.starts_with('#') {
                sections.push(Section::Prose(line.to_string()));
                continue;
            }
            let mut block = Block {
                line_number: index + 1,
                lines: vec![Line::parse(line, index + 1)?],
                expected: vec![],
            };
            let mut commands_are_over = false;
            while let Some((index, line)) = numbered.next_if(|(_, line)| !line.trim().is_empty()) {
                if commands_are_over {
                    block.expected.push(line.to_string());
                } else if line == "---" {
                    commands_are_over = true;
                } else {
                    block.lines.push(Line::parse(line, index + 1)?);
                }
            }
            sections.push(Section::Block(block));
        }
        Ok(Script { sections })
    }
}

impl Line {
    fn parse(source: &str, line_number: usize) -> Result<Line, String> {
        let wrong = |why: &str| format!("line {line_number}: {why}: {source}");
        let (connection, rest) = match source.split_once(": ") {
            Some((name, rest)) if is_lowercase_word(name) => (name, rest),
            _ => ("", source),
        };
        let (directive, rest) = match rest.split_once('>') {
            Some((name, rest)) if is_lowercase_word(name) => (name, rest.trim_start()),
            _ => ("", rest),
        };
        let words = split(rest).map_err(|why| wrong(&why))?;
        let act = match directive {
            "await" => Act::Await,
            "quiet" => Act::Quiet,
            "resp3" => Act::Resp3,
            "close" => Act::Close,
            "sleep_ms" => {
                Act::SleepMs(rest.trim().parse().map_err(|_| wrong("sleep_ms> needs a number"))?)
            }
            _ if words.is_empty() => return Err(wrong("a command is missing")),
            "" | "soon" => Act::Call(Order::AsIs, words),
            "start" => Act::Start(words),
            "raw" => Act::Raw(words.concat()),
            "repeat" => {
                let times = std::str::from_utf8(&words[0]).ok().and_then(|text| text.parse().ok());
                Act::Repeat(
                    times.ok_or_else(|| wrong("repeat> needs a number"))?,
                    words[1..].to_vec(),
                )
            }
            _ => Act::Call(
                Order::named(directive).ok_or_else(|| wrong("there is no such directive"))?,
                words,
            ),
        };
        let soon = directive == "soon";
        Ok(Line { source: source.to_string(), connection: connection.to_string(), soon, act })
    }
}

impl Block {
    /// The block as it stands in a script, with `shown` as its expectation.
    pub(crate) fn rewritten(&self, shown: &[String]) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&line.source);
            text.push('\n');
        }
        if !shown.is_empty() {
            text.push_str("---\n");
        }
        for line in shown {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

fn is_lowercase_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{Act, Script, Section};

    #[test]
    fn a_block_is_commands_and_what_they_should_say() {
        let script =
            Script::parse("# about\n\nPING\nb: GET k\n---\nPONG\nb: (nil)\n\nDBSIZE\n").unwrap();
        let [
            Section::Prose(_),
            Section::Prose(_),
            Section::Block(first),
            Section::Prose(_),
            Section::Block(last),
        ] = &script.sections[..]
        else {
            panic!("two blocks between prose")
        };
        assert_eq!((first.lines.len(), first.line_number), (2, 3));
        assert_eq!(first.lines[1].connection, "b");
        assert_eq!(first.expected, ["PONG", "b: (nil)"]);
        assert!(last.expected.is_empty());
    }

    #[test]
    fn a_directive_says_how_a_line_is_spoken() {
        let script = Script::parse("c: start> BLPOP q 0\nSET a> b\n").unwrap();
        let Section::Block(block) = &script.sections[0] else { panic!("one block") };
        assert!(matches!(&block.lines[0].act, Act::Start(words) if words.len() == 3));
        assert!(matches!(&block.lines[1].act, Act::Call(_, words) if words[1] == b"a>"));
    }

    #[test]
    fn an_unknown_directive_is_an_error() {
        assert!(Script::parse("sorted> KEYS *\n").is_err());
    }
}
