/// Splits a line as a shell would, the way Redis reads inline commands and configuration lines: blanks part arguments,
/// `"…"` knows escapes, `'…'` only `\'`. `None` when a quote is not closed or something follows a closing quote directly.
pub fn split_arguments(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut arguments = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() || rest[0] == 0 {
            return Some(arguments);
        }
        let mut argument = Vec::new();
        rest = read_argument(rest, &mut argument)?;
        arguments.push(argument);
    }
}

fn read_argument<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return Some(&[]),
            [blank, ..] if blank.is_ascii_whitespace() => return Some(rest),
            [b'"', tail @ ..] => {
                rest = read_double_quoted(tail, argument)?;
                return ends_after_quote(rest);
            }
            [b'\'', tail @ ..] => {
                rest = read_single_quoted(tail, argument)?;
                return ends_after_quote(rest);
            }
            [byte, tail @ ..] => {
                argument.push(*byte);
                rest = tail;
            }
        }
    }
}

fn ends_after_quote(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        None => Some(rest),
        Some(byte) if byte.is_ascii_whitespace() || *byte == 0 => Some(rest),
        Some(_) => None,
    }
}

fn read_double_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                argument.push(hex_digit(*high) * 16 + hex_digit(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                argument.push(*byte);
                tail
            }
        };
    }
}

fn read_single_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\'', tail @ ..] => return Some(tail),
            [b'\\', b'\'', tail @ ..] => {
                argument.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                argument.push(*byte);
                tail
            }
        };
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::split_arguments;

    fn split(line: &str) -> Option<Vec<String>> {
        let arguments = split_arguments(line.as_bytes())?;
        Some(arguments.into_iter().map(|a| String::from_utf8_lossy(&a).into_owned()).collect())
    }

    #[test]
    fn blanks_part_and_quotes_join() {
        assert_eq!(
            split("  set  key \"a b\\n\" 'it\\'s' ").unwrap(),
            ["set", "key", "a b\n", "it's"]
        );
        assert_eq!(split("\"\\x41\\x4g\"").unwrap(), ["Ax4g"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        assert_eq!(split("\"\"").unwrap(), [""]);
    }

    #[test]
    fn an_open_quote_or_text_behind_a_quote_is_refused() {
        assert_eq!(split("set \"a"), None);
        assert_eq!(split("set 'a"), None);
        assert_eq!(split("\"a\"b"), None);
    }
}
