//! A command's syntax line, read into the tree of arguments that COMMAND DOCS tells.
//!
//! `word` is an argument, `WORD` a literal token, `[…]` optional, `a|b` a choice, `<…>` a group, `…` after an element
//! repeats it. A token followed by arguments belongs to them: `EX seconds`.

/// One argument as COMMAND DOCS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    pub kind: ArgumentKind,
    pub token: Option<String>,
    pub optional: bool,
    pub multiple: bool,
    pub children: Vec<Argument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgumentKind {
    pub const fn name(self) -> &'static str {
        match self {
            ArgumentKind::String => "string",
            ArgumentKind::Integer => "integer",
            ArgumentKind::Double => "double",
            ArgumentKind::Key => "key",
            ArgumentKind::Pattern => "pattern",
            ArgumentKind::UnixTime => "unix-time",
            ArgumentKind::PureToken => "pure-token",
            ArgumentKind::OneOf => "oneof",
            ArgumentKind::Block => "block",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "key" | "source" | "destination" | "newkey" => ArgumentKind::Key,
            "pattern" => ArgumentKind::Pattern,
            "score" | "increment-float" | "min-score" | "max-score" | "timeout" | "weight" => {
                ArgumentKind::Double
            }
            "unix-time-seconds" | "unix-time-milliseconds" => ArgumentKind::UnixTime,
            "seconds" | "milliseconds" | "count" | "index" | "start" | "stop" | "end"
            | "offset" | "numkeys" | "increment" | "decrement" | "db" | "cursor" | "rank"
            | "maxlen" | "len" | "ttl" | "port" | "protover" | "min-idle-time" | "ms" | "limit"
            | "bit" | "num-matches" => ArgumentKind::Integer,
            _ => ArgumentKind::String,
        }
    }
}

/// Reads a syntax line. Panics on one that is not well formed: syntax lines are constants, and a test reads them all.
pub fn parse_syntax(syntax: &str) -> Vec<Argument> {
    let spaced: String = syntax
        .chars()
        .flat_map(|c| if "[]<>|".contains(c) { vec![' ', c, ' '] } else { vec![c] })
        .collect();
    let spaced = spaced.replace("...", " … ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, at: 0 };
    let arguments = parser.sequence();
    assert!(parser.at == words.len(), "unbalanced brackets in {syntax:?}");
    arguments
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).copied()
    }

    /// Elements up to a closing bracket, a bar or the end.
    fn sequence(&mut self) -> Vec<Argument> {
        let mut elements: Vec<Argument> = Vec::new();
        while let Some(word) = self.peek() {
            let word = word.to_owned();
            match word.as_str() {
                "]" | ">" | "|" => break,
                "…" => {
                    self.at += 1;
                    elements.last_mut().expect("something stands before the dots").multiple = true;
                }
                "[" => {
                    self.at += 1;
                    let mut group = self.choice("]");
                    // `[key …]` behind `key` is the same argument once more: Redis says "multiple" of the first.
                    let repeats = elements.last().is_some_and(|last| {
                        group.multiple
                            && last.name == group.name
                            && last.kind == group.kind
                            && last.token.is_none()
                    });
                    if repeats {
                        elements.last_mut().expect("just looked at").multiple = true;
                    } else {
                        group.optional = true;
                        elements.push(group);
                    }
                }
                "<" => {
                    self.at += 1;
                    let group = self.choice(">");
                    elements.push(group);
                }
                word if is_token(word) => {
                    self.at += 1;
                    elements.push(self.after_token(word));
                }
                word => {
                    self.at += 1;
                    elements.push(leaf(word, ArgumentKind::of(word), None));
                }
            }
        }
        elements
    }

    /// A token with the one plain argument that may follow it.
    fn after_token(&mut self, token: &str) -> Argument {
        match self.peek() {
            Some(next) if !is_token(next) && !"[]<>|…".contains(next) => {
                let name = next.to_owned();
                self.at += 1;
                leaf(&name, ArgumentKind::of(&name), Some(token))
            }
            _ => leaf(&token.to_lowercase(), ArgumentKind::PureToken, Some(token)),
        }
    }

    /// Alternatives up to the closing bracket.
    fn choice(&mut self, closing: &str) -> Argument {
        let mut alternatives = Vec::new();
        loop {
            let mut sequence = self.sequence();
            alternatives.push(if sequence.len() == 1 {
                sequence.remove(0)
            } else {
                block(sequence)
            });
            let word = self.peek().expect("a bracket is closed").to_owned();
            self.at += 1;
            if word == closing {
                break;
            }
            assert!(word == "|", "{word:?} closes what it did not open");
        }
        if alternatives.len() == 1 {
            return alternatives.remove(0);
        }
        group(&name_of_choice(&alternatives), ArgumentKind::OneOf, alternatives)
    }
}

/// What Redis calls a choice, which its alternatives do not say; any other is called as its first alternative.
fn name_of_choice(alternatives: &[Argument]) -> String {
    let first = &alternatives[0];
    let name = match first.token.as_deref() {
        Some("NX" | "XX") => "condition",
        Some("GT" | "LT") => "comparison",
        Some("EX" | "PX") => "expiration",
        Some("LEFT" | "BEFORE") => "where",
        Some("ASC" | "DESC") => "order",
        Some("SUM") => "aggregate",
        Some("MAXLEN") => "strategy",
        Some("M") => "unit",
        _ => &first.name,
    };
    name.to_owned()
}

fn is_token(word: &str) -> bool {
    let first = word.chars().next().unwrap_or('a');
    first.is_ascii_uppercase() || "*=~$+".contains(first)
}

fn leaf(name: &str, kind: ArgumentKind, token: Option<&str>) -> Argument {
    Argument {
        name: name.to_owned(),
        kind,
        token: token.map(str::to_owned),
        optional: false,
        multiple: false,
        children: Vec::new(),
    }
}

fn block(children: Vec<Argument>) -> Argument {
    let name = children.first().map_or("options".to_owned(), |first| first.name.clone());
    group(&name, ArgumentKind::Block, children)
}

fn group(name: &str, kind: ArgumentKind, children: Vec<Argument>) -> Argument {
    Argument { children, ..leaf(name, kind, None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_line_becomes_the_tree_that_redis_tells() {
        let arguments =
            parse_syntax("key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]");
        let names: Vec<_> =
            arguments.iter().map(|a| (a.name.as_str(), a.kind.name(), a.optional)).collect();
        assert_eq!(
            names,
            [
                ("key", "key", false),
                ("value", "string", false),
                ("condition", "oneof", true),
                ("get", "pure-token", true),
                ("expiration", "oneof", true)
            ]
        );
        assert_eq!(arguments[4].children[1].token.as_deref(), Some("PX"));
        assert_eq!(arguments[4].children[2].kind, ArgumentKind::PureToken);
    }

    #[test]
    fn repetition_is_said_of_the_argument_itself() {
        let arguments = parse_syntax("key [key ...]");
        assert_eq!(arguments.len(), 1);
        assert!(arguments[0].multiple && !arguments[0].optional);

        let arguments = parse_syntax("key <field value> ...");
        assert_eq!(arguments[1].kind, ArgumentKind::Block);
        assert!(arguments[1].multiple);
    }
}
