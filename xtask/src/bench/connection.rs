//! One connection: requests out, replies counted or read.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use super::command::encode;

/// Longer than anything measured here may take; a server that hangs must not hang the benchmark.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// What lies between these two has come and has not been read.
    start: usize,
    end: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// A simple or a bulk string.
    Text(String),
    Integer(i64),
    Nil,
    Array(Vec<Reply>),
}

impl Connection {
    pub(super) fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream, input: vec![0; 64 * 1024], start: 0, end: 0 })
    }

    pub(super) fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        self.stream.write_all(requests)
    }

    /// An error reply is an error here: no benchmark expects one.
    pub(super) fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = Vec::new();
        encode(&mut request, &words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
        self.send(&request)?;
        self.reply().map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", words[0])))
    }

    pub(super) fn call_integer(&mut self, words: &[&str]) -> io::Result<i64> {
        match self.call(words)? {
            Reply::Integer(number) => Ok(number),
            Reply::Nil => Ok(0),
            Reply::Text(text) => {
                text.parse().map_err(|_| io::Error::other(format!("{text:?} is no number")))
            }
            Reply::Array(_) => Err(io::Error::other(format!("{words:?} answered with an array"))),
        }
    }

    /// Passes over so many whole replies.
    pub(super) fn skip_replies(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            self.skip_reply()?;
        }
        Ok(())
    }

    fn skip_reply(&mut self) -> io::Result<()> {
        let (kind, line) = self.line()?;
        match (kind, number(&self.input[line])) {
            (b'$', length) if length >= 0 => {
                let length = length as usize + 2;
                self.have(length)?;
                self.start += length;
            }
            (b'*', count) => self.skip_replies(count.max(0) as usize)?,
            _ => {}
        }
        Ok(())
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let (kind, line) = self.line()?;
        if kind == b'+' {
            return Ok(Reply::Text(String::from_utf8_lossy(&self.input[line]).into_owned()));
        }
        let number = number(&self.input[line]);
        match kind {
            b':' => Ok(Reply::Integer(number)),
            b'$' if number >= 0 => {
                let length = number as usize;
                self.have(length + 2)?;
                let text = &self.input[self.start..self.start + length];
                let text = String::from_utf8_lossy(text).into_owned();
                self.start += length + 2;
                Ok(Reply::Text(text))
            }
            b'*' if number >= 0 => {
                (0..number).map(|_| self.reply()).collect::<io::Result<_>>().map(Reply::Array)
            }
            _ => Ok(Reply::Nil),
        }
    }

    /// A reply's first byte, and where the rest of its line lies until more is read.
    fn line(&mut self) -> io::Result<(u8, Range<usize>)> {
        let mut seen = 0;
        let end = loop {
            let unread = &self.input[self.start..self.end];
            match unread[seen..].iter().position(|&byte| byte == b'\n') {
                Some(offset) => break self.start + seen + offset,
                None => {
                    seen = unread.len();
                    self.fill()?;
                }
            }
        };
        let start = self.start;
        self.start = end + 1;
        match self.input[start..end].trim_ascii_end().split_first() {
            Some((b'-', text)) => Err(io::Error::other(String::from_utf8_lossy(text).into_owned())),
            Some((&kind, rest)) => Ok((kind, start + 1..start + 1 + rest.len())),
            None => Err(io::Error::other("an empty line is no reply")),
        }
    }

    fn have(&mut self, length: usize) -> io::Result<()> {
        while self.end - self.start < length {
            self.fill()?;
        }
        Ok(())
    }

    /// Reads what is there, behind what has not been read yet.
    fn fill(&mut self) -> io::Result<()> {
        self.input.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.input.len() {
            self.input.resize(self.input.len() * 2, 0);
        }
        match self.stream.read(&mut self.input[self.end..])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")),
            count => {
                self.end += count;
                Ok(())
            }
        }
    }
}

/// What follows a type's byte is a number or, after `+`, any text: that is worth nothing here.
fn number(digits: &[u8]) -> i64 {
    let (sign, digits) = digits.strip_prefix(b"-").map_or((1, digits), |rest| (-1, rest));
    sign * digits.iter().fold(0_i64, |number, digit| {
        number.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')))
    })
}
