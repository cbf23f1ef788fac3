//! What a command line asks for.

use crate::{demo, help};

#[derive(Debug, PartialEq)]
pub(crate) enum Invocation<'a> {
    Show(&'static str),
    Version,
    /// With the arguments of the server.
    Server(&'a [String]),
    Demo(demo::Options),
    Wrong(String),
}

const COMMANDS: [&str; 4] = ["server", "demo", "help", "version"];

impl Invocation<'_> {
    pub(crate) fn of(arguments: &[String]) -> Invocation<'_> {
        let Some((first, rest)) = arguments.split_first() else {
            return Invocation::Show(help::OVERVIEW);
        };
        let asks_for_help = rest.first().is_some_and(|word| is_help_option(word));
        match first.as_str() {
            "server" if asks_for_help => Invocation::Show(help::SERVER),
            "demo" if asks_for_help => Invocation::Show(help::DEMO),
            "server" => Invocation::Server(rest),
            "demo" => match demo_options(rest) {
                Ok(options) => Invocation::Demo(options),
                Err(why) => Invocation::Wrong(why),
            },
            "version" | "--version" | "-v" | "-V" => Invocation::Version,
            "help" => topic(rest),
            word if is_help_option(word) => Invocation::Show(help::OVERVIEW),
            // Tools that start a redis-server for a test know nothing of commands: `<program> --port 7000 …`.
            word if word.starts_with("--") => Invocation::Server(arguments),
            word => unknown(word),
        }
    }
}

fn is_help_option(word: &str) -> bool {
    word == "--help" || word == "-h"
}

fn topic(words: &[String]) -> Invocation<'static> {
    match words.first().map(String::as_str) {
        None => Invocation::Show(help::OVERVIEW),
        Some("server") => Invocation::Show(help::SERVER),
        Some("demo") => Invocation::Show(help::DEMO),
        Some("help" | "version") => Invocation::Show(help::OVERVIEW),
        Some(word) => unknown(word),
    }
}

fn demo_options(words: &[String]) -> Result<demo::Options, String> {
    let mut options = demo::Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--stay" => options.stay = true,
            "--python" => {
                let program = words.next().ok_or("'--python' needs a program")?;
                options.python.clone_from(program);
            }
            _ => {
                return Err(format!("unknown option '{word}' of demo (see: mainspring help demo)"));
            }
        }
    }
    Ok(options)
}

fn unknown(word: &str) -> Invocation<'static> {
    let hint = if word.contains(['/', '.']) {
        format!("to serve with this file: mainspring server {word}")
    } else if let Some(command) = nearest(word) {
        format!("did you mean '{command}'?")
    } else {
        "see: mainspring help".into()
    };
    Invocation::Wrong(format!("unknown command '{word}' ({hint})"))
}

/// The command that a slip of the finger or two may have turned into `word`.
fn nearest(word: &str) -> Option<&'static str> {
    let near = COMMANDS.into_iter().map(|command| (distance(word, command), command));
    near.filter(|(distance, command)| *distance <= command.len() / 2).min().map(|(_, name)| name)
}

/// How many letters must be put in, left out or changed to make one word the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (taken, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = taken + 1;
        for (index, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn complaint(line: &str) -> String {
        match Invocation::of(&words(line)) {
            Invocation::Wrong(why) => why,
            other => panic!("{line} is understood as {other:?}"),
        }
    }

    #[test]
    fn nothing_and_every_way_to_ask_show_the_overview() {
        for line in ["", "help", "--help", "-h", "help version"] {
            assert_eq!(Invocation::of(&words(line)), Invocation::Show(help::OVERVIEW), "{line}");
        }
        for line in ["help server", "server --help", "server -h"] {
            assert_eq!(Invocation::of(&words(line)), Invocation::Show(help::SERVER), "{line}");
        }
        for line in ["help demo", "demo --help"] {
            assert_eq!(Invocation::of(&words(line)), Invocation::Show(help::DEMO), "{line}");
        }
    }

    #[test]
    fn options_alone_mean_the_server() {
        let line = words("--port 7000 --save");
        assert_eq!(Invocation::of(&line), Invocation::Server(&line));
        let line = words("server redis.conf --port 7000");
        assert_eq!(Invocation::of(&line), Invocation::Server(&line[1..]));
        assert_eq!(Invocation::of(&words("--version")), Invocation::Version);
    }

    #[test]
    fn the_demonstration_takes_its_own_options_only() {
        let options = demo::Options { stay: true, python: "python3.12".into() };
        let line = words("demo --stay --python python3.12");
        assert_eq!(Invocation::of(&line), Invocation::Demo(options));
        assert!(complaint("demo --port 1").contains("'--port'"));
        assert!(complaint("demo --python").contains("needs a program"));
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        assert_eq!(complaint("serve"), "unknown command 'serve' (did you mean 'server'?)");
        assert_eq!(complaint("dmeo"), "unknown command 'dmeo' (did you mean 'demo'?)");
        assert_eq!(complaint("frobnicate"), "unknown command 'frobnicate' (see: mainspring help)");
        assert_eq!(
            complaint("./redis.conf"),
            "unknown command './redis.conf' (to serve with this file: mainspring server ./redis.conf)"
        );
    }

    #[test]
    fn the_distance_counts_letters_put_in_left_out_and_changed() {
        assert_eq!(distance("", "demo"), 4);
        assert_eq!(distance("demo", "demo"), 0);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
