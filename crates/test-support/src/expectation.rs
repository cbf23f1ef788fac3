//! An expected line is literal text with placeholders for what differs from run to run:
//! `<int>`, `<int 95..100>` (both ends belong to it), `<id>` (a stream entry's) and `<text>` (anything on this line).

/// Whether `actual` is what the line `expected` asks for.
pub(crate) fn matches(expected: &str, actual: &str) -> bool {
    match next_placeholder(expected) {
        None => expected == actual,
        Some((literal, placeholder, rest)) => {
            let Some(tail) = actual.strip_prefix(literal) else { return false };
            // The longest fit first; a later literal may ask for a shorter one.
            let ends = (0..=tail.len()).rev().filter(|&end| tail.is_char_boundary(end));
            ends.into_iter()
                .any(|end| placeholder.accepts(&tail[..end]) && matches(rest, &tail[end..]))
        }
    }
}

enum Placeholder {
    Integer { least: i64, most: i64 },
    StreamId,
    Text,
}

impl Placeholder {
    fn named(name: &str) -> Option<Placeholder> {
        match name {
            "int" => Some(Placeholder::Integer { least: i64::MIN, most: i64::MAX }),
            "id" => Some(Placeholder::StreamId),
            "text" => Some(Placeholder::Text),
            _ => {
                let (least, most) = name.strip_prefix("int ")?.split_once("..")?;
                Some(Placeholder::Integer { least: least.parse().ok()?, most: most.parse().ok()? })
            }
        }
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            Placeholder::Integer { least, most } => {
                text.parse::<i64>().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Placeholder::StreamId => {
                let digits =
                    |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                text.split_once('-').is_some_and(|(ms, sequence)| digits(ms) && digits(sequence))
            }
            Placeholder::Text => true,
        }
    }
}

/// Text before the first placeholder, the placeholder, and what follows it.
fn next_placeholder(line: &str) -> Option<(&str, Placeholder, &str)> {
    line.match_indices('<').find_map(|(start, _)| {
        let (name, rest) = line[start + 1..].split_once('>')?;
        Some((&line[..start], Placeholder::named(name)?, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_line_without_placeholders_is_literal() {
        assert!(matches("(integer) 1", "(integer) 1"));
        assert!(!matches("(integer) 1", "(integer) 10"));
        assert!(matches("\"<b>\"", "\"<b>\""));
    }

    #[test]
    fn a_placeholder_stands_for_what_it_names() {
        assert!(matches("(integer) <int>", "(integer) -5"));
        assert!(!matches("(integer) <int>", "(integer) five"));
        assert!(matches("(integer) <int 95..100>", "(integer) 100"));
        assert!(!matches("(integer) <int 95..100>", "(integer) 101"));
        assert!(matches("[\"<id>\", \"<text>\"]", "[\"1700000000000-0\", \"a, b\"]"));
        assert!(!matches("\"<id>\"", "\"1700000000000\""));
    }
}
