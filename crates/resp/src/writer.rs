use crate::double::format_double;

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Where an array of then unknown length began.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// Writes replies straight into an output buffer, in the client's protocol.
///
/// What only RESP3 can say is written to a RESP2 client in the form that Redis gives it there.
#[derive(Debug)]
pub struct ReplyWriter<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> ReplyWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        ReplyWriter { out, protocol }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// From the next reply on (HELLO).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes written so far into the underlying buffer.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// Drops what was written since `position`.
    pub fn rewind(&mut self, position: usize) {
        self.out.truncate(position);
    }

    pub fn written_since(&self, position: usize) -> &[u8] {
        &self.out[position..]
    }

    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// `text` must hold no line break.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error line; line breaks in it become blanks, so that no text can break out of its line.
    pub fn error(&mut self, text: &[u8]) {
        self.out.push(b'-');
        self.out.extend(
            text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }),
        );
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 16);
        self.header(b'$', bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// An integer in a bulk string, as GET gives a counter.
    pub fn bulk_integer(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    pub fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.out.extend_from_slice(b"$-1\r\n"),
            Protocol::Resp3 => self.out.extend_from_slice(b"_\r\n"),
        }
    }

    /// A string, or the absence of one.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub fn text_or_null(&mut self, text: Option<&str>) {
        self.bulk_or_null(text.map(str::as_bytes));
    }

    /// The absence of an array, which RESP2 writes otherwise than that of a string.
    pub fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.out.extend_from_slice(b"*-1\r\n"),
            Protocol::Resp3 => self.out.extend_from_slice(b"_\r\n"),
        }
    }

    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// A map of `pairs`: in RESP2 a flat array of twice as many.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * pairs as i64),
            Protocol::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    pub fn set(&mut self, len: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'~' } else { b'*' };
        self.header(kind, len as i64);
    }

    /// Out-of-band data (pub/sub messages): an array to a RESP2 client.
    pub fn push(&mut self, len: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'>' } else { b'*' };
        self.header(kind, len as i64);
    }

    pub fn boolean(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(i64::from(value)),
            Protocol::Resp3 => {
                self.out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" })
            }
        }
    }

    pub fn double(&mut self, value: f64) {
        match self.protocol {
            Protocol::Resp2 => {
                let mark = self.begin();
                format_double(value, self.out);
                self.insert_header(mark, b'$', self.out.len() - mark.0);
                self.out.extend_from_slice(b"\r\n");
            }
            Protocol::Resp3 => {
                self.out.push(b',');
                format_double(value, self.out);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Text with its format, such as INFO's: a bulk string to a RESP2 client.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.out.extend_from_slice(&format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A whole reply that is already in wire form.
    pub fn raw(&mut self, wire: &[u8]) {
        self.out.extend_from_slice(wire);
    }

    /// Begins an array whose length is known only at its end.
    pub fn begin(&mut self) -> Mark {
        Mark(self.out.len())
    }

    pub fn end_array(&mut self, mark: Mark, len: usize) {
        self.insert_header(mark, b'*', len);
    }

    pub fn end_set(&mut self, mark: Mark, len: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'~' } else { b'*' };
        self.insert_header(mark, kind, len);
    }

    pub fn end_map(&mut self, mark: Mark, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.insert_header(mark, b'*', 2 * pairs),
            Protocol::Resp3 => self.insert_header(mark, b'%', pairs),
        }
    }

    fn insert_header(&mut self, mark: Mark, kind: u8, len: usize) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(len).as_bytes();
        let header = std::iter::once(kind).chain(digits.iter().copied()).chain(*b"\r\n");
        self.out.splice(mark.0..mark.0, header);
    }

    #[inline]
    fn header(&mut self, kind: u8, value: i64) {
        let mut line = [0u8; 24];
        line[0] = kind;
        if (0..10).contains(&value) {
            line[1] = b'0' + value as u8;
            line[2..4].copy_from_slice(b"\r\n");
            self.out.extend_from_slice(&line[..4]);
            return;
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(value).as_bytes();
        line[1..=digits.len()].copy_from_slice(digits);
        line[digits.len() + 1..digits.len() + 3].copy_from_slice(b"\r\n");
        self.out.extend_from_slice(&line[..digits.len() + 3]);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut ReplyWriter)) -> String {
        let mut out = Vec::new();
        write(&mut ReplyWriter::new(&mut out, protocol));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_resp2_cannot_say_it_says_in_redis_own_way() {
        let everything = |reply: &mut ReplyWriter| {
            reply.null();
            reply.null_array();
            reply.map(1);
            reply.set(2);
            reply.boolean(true);
            reply.double(1.5);
            reply.verbatim(*b"txt", b"hi");
        };
        assert_eq!(
            written(Protocol::Resp2, everything),
            "$-1\r\n*-1\r\n*2\r\n*2\r\n:1\r\n$3\r\n1.5\r\n$2\r\nhi\r\n"
        );
        assert_eq!(
            written(Protocol::Resp3, everything),
            "_\r\n_\r\n%1\r\n~2\r\n#t\r\n,1.5\r\n=6\r\ntxt:hi\r\n"
        );
    }

    #[test]
    fn an_error_cannot_break_out_of_its_line() {
        assert_eq!(
            written(Protocol::Resp2, |reply| reply.error(b"ERR a\r\n+OK")),
            "-ERR a  +OK\r\n"
        );
    }

    #[test]
    fn an_array_may_learn_its_length_at_its_end() {
        let array = |reply: &mut ReplyWriter| {
            reply.ok();
            let mark = reply.begin();
            (0..12).for_each(|i| reply.integer(i % 10));
            reply.end_array(mark, 12);
        };
        assert!(written(Protocol::Resp2, array).starts_with("+OK\r\n*12\r\n:0\r\n:1\r\n"));
    }

    #[test]
    fn integers_of_every_size_are_written() {
        let text = written(Protocol::Resp2, |reply| {
            for value in [0, 9, 10, -1, i64::MIN, i64::MAX] {
                reply.integer(value);
            }
        });
        assert_eq!(
            text,
            ":0\r\n:9\r\n:10\r\n:-1\r\n:-9223372036854775808\r\n:9223372036854775807\r\n"
        );
    }
}
