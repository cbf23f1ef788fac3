use std::fmt;

use crate::inline::split_arguments;

/// Where one argument lies in the connection's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..][..self.len as usize]
    }
}

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Arguments in one request.
    pub arguments_max: i64,
    /// Bytes in one argument (`proto-max-bulk-len`).
    pub bulk_bytes_max: i64,
    /// Bytes in a line: an inline command or a length.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            arguments_max: i64::from(i32::MAX),
            bulk_bytes_max: 512 << 20,
            line_bytes_max: 64 << 10,
        }
    }
}

/// Bytes that are no request; the connection is answered with the text and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    MultibulkLength,
    BulkLength,
    ExpectedDollar(u8),
    TooBigMultibulkLine,
    TooBigBulkLine,
    TooBigInline,
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            ProtocolError::MultibulkLength => f.write_str("invalid multibulk length"),
            ProtocolError::BulkLength => f.write_str("invalid bulk length"),
            ProtocolError::ExpectedDollar(byte) => {
                write!(f, "expected '$', got '{}'", char::from(*byte))
            }
            ProtocolError::TooBigMultibulkLine => f.write_str("too big mbulk count string"),
            ProtocolError::TooBigBulkLine => f.write_str("too big bulk count string"),
            ProtocolError::TooBigInline => f.write_str("too big inline request"),
            ProtocolError::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
        }
    }
}

/// Reads requests out of a growing buffer and remembers where it stands, so that no byte is looked at twice however
/// the network cuts a request.
///
/// Spans count from the start of the buffer. Invariant: between calls, `spans` given to [`Decoder::next`] hold those of
/// complete requests, then those of the unfinished one.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The first byte not yet understood.
    position: usize,
    /// Where the unfinished request began.
    request_start: usize,
    /// Arguments of the unfinished request, and those it still lacks; 0 between requests.
    arguments: i64,
    arguments_left: i64,
    /// The announced length of the argument that is being awaited.
    bulk_len: Option<usize>,
}

impl Decoder {
    /// The next whole request: its arguments' spans are pushed, their number is returned. `None`: more bytes are needed.
    /// Empty requests (an empty line, `*0`) are passed over.
    ///
    /// An inline command with escapes is rewritten in place, hence `&mut`.
    #[inline]
    pub fn next(
        &mut self,
        buffer: &mut [u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        loop {
            if self.arguments_left == 0 {
                self.request_start = self.position;
                let Some(&first) = buffer.get(self.position) else { return Ok(None) };
                if first != b'*' {
                    match self.inline(buffer, spans, limits)? {
                        Some(0) => continue,
                        other => return Ok(other),
                    }
                }
                let Some((count, next)) = read_length(
                    buffer,
                    self.position + 1,
                    limits.line_bytes_max,
                    ProtocolError::MultibulkLength,
                    ProtocolError::TooBigMultibulkLine,
                )?
                else {
                    return Ok(None);
                };
                if count > limits.arguments_max {
                    return Err(ProtocolError::MultibulkLength);
                }
                self.position = next;
                if count <= 0 {
                    continue;
                }
                self.arguments = count;
                self.arguments_left = count;
                spans.reserve(count.min(1024) as usize);
            }
            return self.read_arguments(buffer, spans, limits);
        }
    }

    #[inline]
    fn read_arguments(
        &mut self,
        buffer: &[u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        while self.arguments_left > 0 {
            let (len, start) = match self.bulk_len {
                Some(len) => (len, self.position),
                None => match read_bulk_length(buffer, self.position, limits)? {
                    Some(found) => found,
                    None => return Ok(None),
                },
            };
            if buffer.len() - start < len + 2 {
                self.position = start;
                self.bulk_len = Some(len);
                return Ok(None);
            }
            spans.push(Span { start: start as u32, len: len as u32 });
            self.position = start + len + 2;
            self.bulk_len = None;
            self.arguments_left -= 1;
        }
        Ok(Some(self.arguments as usize))
    }

    fn inline(
        &mut self,
        buffer: &mut [u8],
        spans: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let rest = &buffer[self.position..];
        let Some(newline) = memchr::memchr(b'\n', rest) else {
            if rest.len() > limits.line_bytes_max {
                return Err(ProtocolError::TooBigInline);
            }
            return Ok(None);
        };
        if newline > limits.line_bytes_max {
            return Err(ProtocolError::TooBigInline);
        }
        let line = rest[..newline].strip_suffix(b"\r").unwrap_or(&rest[..newline]);
        let arguments = split_arguments(line).ok_or(ProtocolError::UnbalancedQuotes)?;
        // Unquoting never lengthens: the arguments fit where the line was.
        let mut at = self.position;
        for argument in &arguments {
            buffer[at..at + argument.len()].copy_from_slice(argument);
            spans.push(Span { start: at as u32, len: argument.len() as u32 });
            at += argument.len();
        }
        self.position += newline + 1;
        Ok(Some(arguments.len()))
    }

    /// Bytes at the front of the buffer that belong to complete requests.
    pub fn consumed(&self) -> usize {
        if self.arguments_left == 0 { self.position } else { self.request_start }
    }

    /// How many bytes the buffer must still grow by before the awaited argument is whole; 0 when unknown.
    pub fn wanted(&self, buffer_len: usize) -> usize {
        self.bulk_len.map_or(0, |len| (self.position + len + 2).saturating_sub(buffer_len))
    }

    /// The caller dropped `bytes` from the buffer's front and all spans but those of the unfinished request.
    pub fn drained(&mut self, bytes: usize, unfinished: &mut [Span]) {
        self.position -= bytes;
        self.request_start = self.request_start.saturating_sub(bytes);
        for span in unfinished {
            span.start -= bytes as u32;
        }
    }
}

/// `$<len>` CR LF: the length, and where the bytes begin. `None`: the line is not whole yet.
#[inline]
fn read_bulk_length(
    buffer: &[u8],
    position: usize,
    limits: &Limits,
) -> Result<Option<(usize, usize)>, ProtocolError> {
    let rest = &buffer[position..];
    match *rest {
        [] => return Ok(None),
        [b'$', ..] => {}
        [other, ..] => return Err(ProtocolError::ExpectedDollar(other)),
    }
    let line = read_length(
        buffer,
        position + 1,
        limits.line_bytes_max,
        ProtocolError::BulkLength,
        ProtocolError::TooBigBulkLine,
    )?;
    let Some((len, next)) = line else { return Ok(None) };
    if len < 0 || len > limits.bulk_bytes_max {
        return Err(ProtocolError::BulkLength);
    }
    Ok(Some((len as usize, next)))
}

/// A decimal length up to CR LF. `None`: the line is not whole yet.
#[inline]
fn read_length(
    buffer: &[u8],
    start: usize,
    line_bytes_max: usize,
    invalid: ProtocolError,
    too_long: ProtocolError,
) -> Result<Option<(i64, usize)>, ProtocolError> {
    let digit = |byte: u8| i64::from(byte - b'0');
    // Nearly all lengths have one or two digits.
    match *buffer.get(start..).unwrap_or_default() {
        [a @ b'0'..=b'9', b'\r', _, ..] => Ok(Some((digit(a), start + 3))),
        [a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] => {
            Ok(Some((digit(a) * 10 + digit(b), start + 4)))
        }
        _ => read_long_length(buffer, start, line_bytes_max, invalid, too_long),
    }
}

#[inline(never)]
fn read_long_length(
    buffer: &[u8],
    start: usize,
    line_bytes_max: usize,
    invalid: ProtocolError,
    too_long: ProtocolError,
) -> Result<Option<(i64, usize)>, ProtocolError> {
    let rest = &buffer[start..];
    let Some(end) = memchr::memchr(b'\r', rest) else {
        return if rest.len() > line_bytes_max { Err(too_long) } else { Ok(None) };
    };
    if end + 1 >= rest.len() {
        return Ok(None);
    }
    let value = crate::parse_integer(&rest[..end]).ok_or(invalid)?;
    Ok(Some((value, start + end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(bytes: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let mut buffer = bytes.to_vec();
        let (mut decoder, mut spans, mut requests) = (Decoder::default(), Vec::new(), Vec::new());
        while let Some(count) = decoder.next(&mut buffer, &mut spans, &Limits::default())? {
            let from = spans.len() - count;
            requests.push(spans[from..].iter().map(|span| span.of(&buffer).to_vec()).collect());
        }
        Ok(requests)
    }

    #[test]
    fn a_pipeline_of_requests_is_read_whole() {
        let requests = decode_all(
            b"*1\r\n$4\r\nPING\r\n*0\r\n\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\nset a 'b c'\r\n",
        )
        .unwrap();
        assert_eq!(
            requests,
            [
                vec![b"PING".to_vec()],
                vec![b"GET".to_vec(), vec![]],
                vec![b"set".to_vec(), b"a".to_vec(), b"b c".to_vec()]
            ]
        );
    }

    #[test]
    fn a_request_cut_at_any_byte_is_read_once_it_is_whole() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$5\r\nhello\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n";
        for cut in 0..bytes.len() {
            let (mut decoder, mut spans, mut found) = (Decoder::default(), Vec::new(), 0);
            let mut buffer = bytes[..cut].to_vec();
            while decoder.next(&mut buffer, &mut spans, &Limits::default()).unwrap().is_some() {
                found += 1;
            }
            // As a connection does it: what is complete is dropped, the rest moves to the front.
            let consumed = decoder.consumed();
            let mut unfinished: Vec<Span> =
                spans.iter().copied().filter(|span| span.start as usize >= consumed).collect();
            decoder.drained(consumed, &mut unfinished);
            let mut buffer = bytes[consumed..].to_vec();
            while decoder.next(&mut buffer, &mut unfinished, &Limits::default()).unwrap().is_some()
            {
                found += 1;
            }
            assert_eq!(found, 3, "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_request_name_what_is_wrong() {
        for (bytes, text) in [
            (&b"*x\r\n"[..], "invalid multibulk length"),
            (b"*99999999999\r\n", "invalid multibulk length"),
            (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$999999999999\r\n", "invalid bulk length"),
            (b"*1\r\n$ab\r\n", "invalid bulk length"),
            (b"set \"a\r\n", "unbalanced quotes in request"),
        ] {
            assert_eq!(
                decode_all(bytes).unwrap_err().to_string(),
                format!("Protocol error: {text}")
            );
        }
    }

    #[test]
    fn an_endless_line_is_refused_before_it_fills_the_memory() {
        assert_eq!(decode_all(&[b'a'; 70_000]), Err(ProtocolError::TooBigInline));
        let mut bulk = b"*1\r\n$".to_vec();
        bulk.extend([b'1'; 70_000]);
        assert_eq!(decode_all(&bulk), Err(ProtocolError::TooBigBulkLine));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let alphabet = b"*$\r\n0123459-PING \"'\\x";
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..40 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(alphabet[(state % alphabet.len() as u64) as usize]);
            }
            let _ = decode_all(&bytes);
        }
    }
}
