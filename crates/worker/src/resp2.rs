//! One RESP2 reply, rewritten as the Python value that `execute()` returns.

use crate::marshal::Writer;

/// The text of a reply that makes `execute()` raise. Errors inside an array are values.
pub(crate) fn error(wire: &[u8]) -> Option<&[u8]> {
    let text = wire.strip_prefix(b"-")?;
    Some(text.strip_suffix(b"\r\n").unwrap_or(text))
}

pub(crate) fn write(wire: &[u8], to: &mut Writer<'_>) {
    value(wire, &mut 0, to);
}

fn value(wire: &[u8], at: &mut usize, to: &mut Writer<'_>) {
    let kind = wire[*at];
    *at += 1;
    let head = line(wire, at);
    match kind {
        b'+' | b'-' => to.redis(head),
        b':' => to.int(number(head)),
        b'$' => match usize::try_from(number(head)) {
            Ok(length) => {
                to.redis(&wire[*at..*at + length]);
                *at += length + 2;
            }
            Err(_) => to.none(),
        },
        b'*' => match usize::try_from(number(head)) {
            Ok(length) => {
                to.list(length);
                (0..length).for_each(|_| value(wire, at, to));
            }
            Err(_) => to.none(),
        },
        other => panic!("the host answered with {:?}, which is not RESP2", char::from(other)),
    }
}

fn line<'a>(wire: &'a [u8], at: &mut usize) -> &'a [u8] {
    let rest = &wire[*at..];
    let length =
        rest.windows(2).position(|pair| pair == b"\r\n").expect("the host's reply is whole");
    *at += length + 2;
    &rest[..length]
}

fn number(digits: &[u8]) -> i64 {
    str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("the host's reply is well formed")
}

#[cfg(test)]
mod tests {
    use functions::plan::Argument;

    use super::*;
    use crate::marshal::{Names, read};

    fn python(wire: &[u8]) -> Argument {
        let (mut out, mut names) = (Vec::new(), Names::default());
        write(wire, &mut Writer::new(&mut out, &mut names));
        read(&out).unwrap()
    }

    #[test]
    fn arrays_nest_and_errors_in_them_are_values() {
        assert_eq!(
            python(b"*4\r\n$2\r\nab\r\n:7\r\n*-1\r\n-ERR x\r\n"),
            Argument::List(vec![
                Argument::Text("ab".into()),
                Argument::Int(7),
                Argument::None,
                Argument::Text("ERR x".into()),
            ])
        );
    }

    #[test]
    fn an_error_at_the_top_is_handed_back_whole() {
        assert_eq!(error(b"-WRONGTYPE no\r\n"), Some(&b"WRONGTYPE no"[..]));
        assert_eq!(error(b"+OK\r\n"), None);
    }
}
