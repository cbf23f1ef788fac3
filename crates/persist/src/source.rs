use std::io::{self, Read};

use crate::crc64;
use crate::error::Result;

/// Bytes to be read, and the checksum of those that were.
pub(crate) struct Source<'a> {
    from: &'a mut dyn Read,
    checksum: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(from: &'a mut dyn Read) -> Self {
        Source { from, checksum: 0 }
    }

    pub(crate) fn checksum(&self) -> u64 {
        self.checksum
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        self.checksum = crc64::update(self.checksum, &bytes);
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `len` bytes. Memory is taken as they come: a length that lies costs nothing.
    pub(crate) fn bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = (&mut *self.from).take(len).read_to_end(&mut bytes)?;
        if (read as u64) < len {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.checksum = crc64::update(self.checksum, &bytes);
        Ok(bytes)
    }
}
