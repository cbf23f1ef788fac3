use std::fmt;

use crate::words::quote;

/// A reply as it was on the wire: no two wire types share a variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    /// `$-1`, the RESP2 nil of strings.
    Nil,
    /// `*-1`, the RESP2 nil of arrays.
    NilArray,
    /// `_`, the only nil of RESP3.
    Null,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    /// Kept as its text: how a double is written is part of what a server promises.
    Double(String),
    Boolean(bool),
    BigNumber(String),
    Verbatim(String, Vec<u8>),
}

impl Reply {
    /// The first reply in `bytes` and its length, or `None` while it is incomplete.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
        let mut cursor = Cursor { bytes, position: 0 };
        match cursor.reply() {
            Ok(reply) => Ok(Some((reply, cursor.position))),
            Err(Stop::Incomplete) => Ok(None),
            Err(Stop::Malformed(why)) => Err(why),
        }
    }
}

/// One line, in the manner of redis-cli, that shows every type exactly.
impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(out, "{}", String::from_utf8_lossy(text)),
            Reply::Error(text) => write!(out, "(error) {}", String::from_utf8_lossy(text)),
            Reply::Integer(number) => write!(out, "(integer) {number}"),
            Reply::Bulk(bytes) => write!(out, "{}", quote(bytes)),
            Reply::Nil => write!(out, "(nil)"),
            Reply::NilArray => write!(out, "(nil array)"),
            Reply::Null => write!(out, "(null)"),
            Reply::Array(elements) => list(out, "[", elements),
            Reply::Set(elements) => list(out, "(set) [", elements),
            Reply::Push(elements) => list(out, "(push) [", elements),
            Reply::Map(entries) => {
                write!(out, "{{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{key}: {value}")?;
                }
                write!(out, "}}")
            }
            Reply::Double(text) => write!(out, "(double) {text}"),
            Reply::Boolean(truth) => write!(out, "({truth})"),
            Reply::BigNumber(digits) => write!(out, "(big number) {digits}"),
            Reply::Verbatim(format, text) => write!(out, "({format}) {}", quote(text)),
        }
    }
}

fn list(out: &mut fmt::Formatter, open: &str, elements: &[Reply]) -> fmt::Result {
    write!(out, "{open}")?;
    for (index, element) in elements.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(out, "{comma}{element}")?;
    }
    write!(out, "]")
}

enum Stop {
    Incomplete,
    Malformed(String),
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn reply(&mut self) -> Result<Reply, Stop> {
        let line = self.line()?;
        let Some((&kind, rest)) = line.split_first() else {
            return Err(Stop::Malformed("an empty line where a reply begins".into()));
        };
        let text = || String::from_utf8_lossy(rest).into_owned();
        Ok(match kind {
            b'+' => Reply::Simple(rest.to_vec()),
            b'-' => Reply::Error(rest.to_vec()),
            b':' => Reply::Integer(number(rest)?),
            b'$' if rest == b"-1" => Reply::Nil,
            b'$' => Reply::Bulk(self.blob(rest)?),
            b'*' if rest == b"-1" => Reply::NilArray,
            b'*' => Reply::Array(self.elements(rest)?),
            b'~' => Reply::Set(self.elements(rest)?),
            b'>' => Reply::Push(self.elements(rest)?),
            b'%' => {
                let pairs = length(rest)?;
                Reply::Map(
                    (0..pairs)
                        .map(|_| Ok((self.reply()?, self.reply()?)))
                        .collect::<Result<_, Stop>>()?,
                )
            }
            b'_' => Reply::Null,
            b',' => Reply::Double(text()),
            b'(' => Reply::BigNumber(text()),
            b'#' => Reply::Boolean(rest == b"t"),
            b'=' => {
                let blob = self.blob(rest)?;
                if blob.get(3) != Some(&b':') {
                    return Err(Stop::Malformed("a verbatim string without its format".into()));
                }
                Reply::Verbatim(
                    String::from_utf8_lossy(&blob[..3]).into_owned(),
                    blob[4..].to_vec(),
                )
            }
            _ => return Err(Stop::Malformed(format!("no reply begins with {}", quote(line)))),
        })
    }

    fn elements(&mut self, count: &[u8]) -> Result<Vec<Reply>, Stop> {
        (0..length(count)?).map(|_| self.reply()).collect()
    }

    fn blob(&mut self, size: &[u8]) -> Result<Vec<u8>, Stop> {
        let end = self.position + length(size)?;
        match self.bytes.get(end..end + 2) {
            None => Err(Stop::Incomplete),
            Some(b"\r\n") => {
                let blob = self.bytes[self.position..end].to_vec();
                self.position = end + 2;
                Ok(blob)
            }
            Some(_) => Err(Stop::Malformed("a blob longer than it says".into())),
        }
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.position..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::Incomplete)?;
        self.position += end + 2;
        Ok(&rest[..end])
    }
}

fn number(digits: &[u8]) -> Result<i64, Stop> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Stop::Malformed(format!("{} is no number", quote(digits))))
}

fn length(digits: &[u8]) -> Result<usize, Stop> {
    usize::try_from(number(digits)?)
        .map_err(|_| Stop::Malformed(format!("{} is no length", quote(digits))))
}

#[cfg(test)]
mod tests {
    use super::Reply;

    fn shown(wire: &[u8]) -> String {
        let (reply, length) = Reply::decode(wire).unwrap().unwrap();
        assert_eq!(length, wire.len());
        reply.to_string()
    }

    #[test]
    fn every_wire_type_is_shown_differently() {
        assert_eq!(shown(b"+OK\r\n"), "OK");
        assert_eq!(shown(b"$2\r\nOK\r\n"), r#""OK""#);
        assert_eq!(shown(b":12\r\n"), "(integer) 12");
        assert_eq!(shown(b"-ERR no\r\n"), "(error) ERR no");
        assert_eq!(shown(b"$-1\r\n*-1\r\n".split_at(5).0), "(nil)");
        assert_eq!(shown(b"*-1\r\n"), "(nil array)");
        assert_eq!(shown(b"_\r\n"), "(null)");
        assert_eq!(shown(b"*2\r\n:1\r\n*0\r\n"), "[(integer) 1, []]");
        assert_eq!(shown(b"%1\r\n$1\r\na\r\n,1.5\r\n"), r#"{"a": (double) 1.5}"#);
        assert_eq!(shown(b"~1\r\n#t\r\n"), "(set) [(true)]");
        assert_eq!(shown(b">1\r\n+a\r\n"), "(push) [a]");
        assert_eq!(shown(b"=7\r\ntxt:abc\r\n"), r#"(txt) "abc""#);
    }

    #[test]
    fn an_incomplete_reply_waits_for_more() {
        for wire in [&b"$3\r\nab"[..], b"*2\r\n:1\r\n", b":1", b""] {
            assert_eq!(Reply::decode(wire), Ok(None));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        assert!(Reply::decode(b"hello\r\n").is_err());
        assert!(Reply::decode(b"$1\r\nabc\r\n").is_err());
    }
}
