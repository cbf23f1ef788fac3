/// Splits a command as redis-cli does: "double quotes" know escapes, 'single quotes' only `\'`, bare words neither.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start().as_bytes();
    while let Some(&first) = rest.first() {
        let (word, after) = match first {
            b'"' => double_quoted(&rest[1..])?,
            b'\'' => single_quoted(&rest[1..])?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                (rest[..end].to_vec(), &rest[end..])
            }
        };
        if after.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return Err(format!("a closing quote must be followed by a space: {line}"));
        }
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Ok(words)
}

/// The bytes in double quotes, as `split` reads them back.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(byte as char),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

fn double_quoted(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut word = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return Err("a double quote is not closed".into()),
            [b'"', after @ ..] => return Ok((word, after)),
            [b'\\', b'x', high, low, after @ ..] => {
                word.push(hex(*high)? << 4 | hex(*low)?);
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        }
    }
}

fn single_quoted(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut word = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return Err("a single quote is not closed".into()),
            [b'\'', after @ ..] => return Ok((word, after)),
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        }
    }
}

fn hex(digit: u8) -> Result<u8, String> {
    let value = (digit as char)
        .to_digit(16)
        .ok_or_else(|| format!("\\x needs two hex digits, not {}", digit as char))?;
    Ok(value as u8)
}

#[cfg(test)]
mod tests {
    use super::{quote, split};

    #[test]
    fn words_are_parted_by_spaces_and_kept_together_by_quotes() {
        assert_eq!(
            split(r#"SET  key "two words" 'it\'s'"#).unwrap(),
            [&b"SET"[..], b"key", b"two words", b"it's"]
        );
        assert_eq!(split(r#"SET k """#).unwrap(), [&b"SET"[..], b"k", b""]);
    }

    #[test]
    fn any_bytes_survive_being_quoted() {
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&every)).unwrap(), [every]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert!(split(r#"SET "k"#).is_err());
        assert!(split(r#"SET "k"x"#).is_err());
        assert!(split(r#"SET "\xzz""#).is_err());
    }
}
