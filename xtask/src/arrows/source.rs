use std::path::Path;

/// The only crates with `unsafe`; each keeps it in one small room.
const UNSAFE_ROOMS: [&str; 4] = ["keyspace", "scripting", "worker", "valkey-module"];

/// What lies below the hosts is handed its time, chance and surroundings.
const BELOW_SERVER: [&str; 8] =
    ["resp", "command-spec", "keyspace", "commands", "scripting", "functions", "worker", "persist"];

const OUTSIDE: [&str; 6] =
    ["Instant::now", "SystemTime::now", "std::env", "env::var", "eprintln!", "println!"];

/// What only the hosts and the tests' own client may have; the worker talks to its processes over Unix sockets.
const SOCKETS: [&str; 4] = ["std::net", "TcpStream", "TcpListener", "mio::"];

/// Line numbers and what is wrong there. Tests at the end of a file, and files of tests alone, may do as they like.
pub(crate) fn breaches(crate_name: &str, file: &Path, text: &str) -> Vec<(usize, String)> {
    let is_only_for_tests =
        file.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing")
            || crate_name == "test-support";
    if is_only_for_tests {
        return Vec::new();
    }
    let mut found = Vec::new();
    let before_tests =
        text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    for (index, line) in before_tests {
        let code = without_comment_and_text(line);
        let mut forbid = |why: String| found.push((index + 1, why));
        if !UNSAFE_ROOMS.contains(&crate_name) && has_word(&code, "unsafe") {
            forbid(format!("unsafe lives in {}", UNSAFE_ROOMS.join(", ")));
        }
        if BELOW_SERVER.contains(&crate_name) {
            for thing in OUTSIDE.iter().filter(|thing| has_word(&code, thing)) {
                forbid(format!("{thing} below server: let it be handed in"));
            }
            for thing in
                SOCKETS.iter().filter(|thing| crate_name != "worker" && has_word(&code, thing))
            {
                forbid(format!("{thing} below server: sockets are the host's"));
            }
        }
    }
    found
}

/// The line without its comment and without what stands between double quotes.
fn without_comment_and_text(line: &str) -> String {
    let mut code = String::new();
    let mut is_text = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if is_text => drop(characters.next()),
            // A quote in a character literal opens no text.
            '\'' if !is_text && characters.peek() == Some(&'"') => drop(characters.next()),
            '"' => is_text = !is_text,
            '/' if !is_text && characters.peek() == Some(&'/') => break,
            _ if !is_text => code.push(character),
            _ => {}
        }
    }
    code
}

/// Whether `word` stands there by itself, not as a part of a longer name.
fn has_word(code: &str, word: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).any(|(start, _)| {
        let ends_open = word.ends_with(|last: char| !is_name(last));
        !code[..start].ends_with(is_name)
            && (ends_open || !code[start + word.len()..].starts_with(is_name))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::breaches;

    fn lines(crate_name: &str, text: &str) -> Vec<usize> {
        breaches(crate_name, Path::new("src/x.rs"), text)
            .into_iter()
            .map(|(line, _)| line)
            .collect()
    }

    #[test]
    fn unsafe_stays_in_its_rooms() {
        assert_eq!(lines("server", "fn f() {\n    unsafe { g() }\n}\n"), [2]);
        assert!(lines("worker", "unsafe { g() }\n").is_empty());
        assert!(lines("server", "#![forbid(unsafe_code)]\n").is_empty());
    }

    #[test]
    fn the_clock_is_handed_in_below_the_server() {
        assert_eq!(lines("keyspace", "let now = Instant::now();\n"), [1]);
        assert!(lines("server", "let now = Instant::now();\n").is_empty());
    }

    #[test]
    fn comments_texts_and_tests_do_not_count() {
        assert!(lines("commands", "// never Instant::now\nlet text = \"std::env\";\n").is_empty());
        assert!(lines("commands", "#[cfg(test)]\nmod tests {\n    use std::env;\n}\n").is_empty());
        assert_eq!(lines("commands", "let quote = '\"'; std::env::args();\n"), [1]);
    }
}
