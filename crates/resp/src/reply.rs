use std::fmt;

/// A reply as a value: for those who must look into one (scripts, functions, clients).
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Null,
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Boolean(bool),
    Double(f64),
    BigNumber(Vec<u8>),
    Verbatim { format: [u8; 3], text: Vec<u8> },
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError;

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed reply")
    }
}

impl std::error::Error for ReplyError {}

const DEPTH_MAX: usize = 128;

/// Reads one reply from the front of `bytes`, with its length in bytes. `None`: it is not whole yet.
pub fn read_reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>, ReplyError> {
    let mut reader = Reader { bytes, at: 0 };
    match reader.reply(DEPTH_MAX) {
        Ok(reply) => Ok(Some((reply, reader.at))),
        Err(Stop::Incomplete) => Ok(None),
        Err(Stop::Malformed) => Err(ReplyError),
    }
}

enum Stop {
    Incomplete,
    Malformed,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn reply(&mut self, depth: usize) -> Result<Reply, Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or(Stop::Malformed)?;
        Ok(match kind {
            b'+' => Reply::Simple(rest.to_vec()),
            b'-' => Reply::Error(rest.to_vec()),
            b':' => Reply::Integer(integer(rest)?),
            b'_' => Reply::Null,
            b'#' => Reply::Boolean(rest == b"t"),
            b',' => Reply::Double(double(rest)?),
            b'(' => Reply::BigNumber(rest.to_vec()),
            b'$' => match self.blob(rest)? {
                Some(bytes) => Reply::Bulk(bytes.to_vec()),
                None => Reply::Null,
            },
            b'!' => Reply::Error(self.blob(rest)?.ok_or(Stop::Malformed)?.to_vec()),
            b'=' => {
                let blob = self.blob(rest)?.ok_or(Stop::Malformed)?;
                let (format, text) = blob.split_at_checked(4).ok_or(Stop::Malformed)?;
                Reply::Verbatim { format: [format[0], format[1], format[2]], text: text.to_vec() }
            }
            b'*' => match length(rest)? {
                Some(len) => Reply::Array(self.replies(len, depth)?),
                None => Reply::Null,
            },
            b'~' => Reply::Set(self.elements(rest, depth)?),
            b'>' => Reply::Push(self.elements(rest, depth)?),
            b'%' => {
                let pairs = length(rest)?.ok_or(Stop::Malformed)?;
                let mut map = Vec::with_capacity(pairs.min(1024));
                for _ in 0..pairs {
                    map.push((self.reply(depth)?, self.reply(depth)?));
                }
                Reply::Map(map)
            }
            _ => return Err(Stop::Malformed),
        })
    }

    fn elements(&mut self, rest: &[u8], depth: usize) -> Result<Vec<Reply>, Stop> {
        let len = length(rest)?.ok_or(Stop::Malformed)?;
        self.replies(len, depth)
    }

    fn replies(&mut self, len: usize, depth: usize) -> Result<Vec<Reply>, Stop> {
        // A hostile length must not reserve memory that no bytes stand behind.
        let mut replies = Vec::with_capacity(len.min(1024));
        for _ in 0..len {
            replies.push(self.reply(depth)?);
        }
        Ok(replies)
    }

    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or(Stop::Incomplete)?;
        self.at += end + 1;
        rest[..end].strip_suffix(b"\r").ok_or(Stop::Malformed)
    }

    fn blob(&mut self, length_text: &[u8]) -> Result<Option<&'a [u8]>, Stop> {
        let Some(len) = length(length_text)? else { return Ok(None) };
        let rest = &self.bytes[self.at..];
        let end = len.checked_add(2).ok_or(Stop::Malformed)?;
        let blob = rest.get(..end).ok_or(Stop::Incomplete)?;
        self.at += end;
        blob.strip_suffix(b"\r\n").map(Some).ok_or(Stop::Malformed)
    }
}

fn integer(text: &[u8]) -> Result<i64, Stop> {
    crate::parse_integer(text).ok_or(Stop::Malformed)
}

fn length(text: &[u8]) -> Result<Option<usize>, Stop> {
    match integer(text)? {
        -1 => Ok(None),
        len => usize::try_from(len).map(Some).map_err(|_| Stop::Malformed),
    }
}

fn double(text: &[u8]) -> Result<f64, Stop> {
    if text == b"nan" {
        return Ok(f64::NAN);
    }
    crate::parse_double(text).ok_or(Stop::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_both_protocols_are_read() {
        let (reply, len) =
            read_reply(b"*4\r\n:1\r\n$-1\r\n%1\r\n+k\r\n,1.5\r\n~1\r\n#t\r\n+next\r\n")
                .unwrap()
                .unwrap();
        assert_eq!(len, 35);
        assert_eq!(
            reply,
            Reply::Array(vec![
                Reply::Integer(1),
                Reply::Null,
                Reply::Map(vec![(Reply::Simple(b"k".to_vec()), Reply::Double(1.5))]),
                Reply::Set(vec![Reply::Boolean(true)]),
            ])
        );
    }

    #[test]
    fn a_reply_that_is_not_whole_yet_is_waited_for() {
        let wire = b"*2\r\n$3\r\nabc\r\n:1\r\n";
        for cut in 0..wire.len() {
            assert_eq!(read_reply(&wire[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn nesting_and_lengths_are_bounded() {
        assert_eq!(read_reply(&b"*1\r\n".repeat(1000)), Err(ReplyError));
        assert_eq!(read_reply(b"*9223372036854775807\r\n"), Ok(None));
        assert_eq!(read_reply(b"$-2\r\n"), Err(ReplyError));
    }
}
