use std::io::{self, Write};

use crate::crc64;

/// Bytes that are written, and their checksum. What is small gathers here first.
pub(crate) struct Sink<'a> {
    to: &'a mut dyn Write,
    checksum: u64,
    gathered: Vec<u8>,
}

const GATHERED_MAX: usize = 64 << 10;

impl<'a> Sink<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Sink { to, checksum: 0, gathered: Vec::new() }
    }

    /// Where to append; [`Sink::pass_on`] is to follow now and then.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Hands over what has gathered, once it is worth it.
    pub(crate) fn pass_on(&mut self) -> io::Result<()> {
        if self.gathered.len() < GATHERED_MAX { Ok(()) } else { self.flush() }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.checksum = crc64::update(self.checksum, &self.gathered);
        self.to.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Of all that was written before the last flush.
    pub(crate) fn checksum(&self) -> u64 {
        self.checksum
    }
}
