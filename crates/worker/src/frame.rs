//! Frames: a u32 (little endian) with the length of the body, then the body, a marshalled list of messages.

use std::ops::Range;

use crate::marshal::{Names, Writer};

/// A frame is closed once it has grown past this: the worker can start while the next one is written.
const FRAME_BYTES: usize = 128 * 1024;

/// No honest worker comes near this; what does is cut off before its memory is ours.
pub(crate) const FRAME_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What waits to be written to one worker. All messages of one turn share a frame: the group commit.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    open: Option<OpenFrame>,
    /// Whole frames of which nothing has been given out.
    new: u32,
    names: Names,
}

#[derive(Debug)]
struct OpenFrame {
    start: usize,
    messages: usize,
}

/// Length, list code, number of messages.
const HEADER: usize = 4 + 1 + 4;

impl Outbox {
    /// Adds one message, written by `write`.
    pub(crate) fn message(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        if self.open.is_none() {
            self.names.clear();
            self.open = Some(OpenFrame { start: self.bytes.len(), messages: 0 });
            self.bytes.extend_from_slice(&[0; HEADER]);
        }
        write(&mut Writer::new(&mut self.bytes, &mut self.names));

        let frame = self.open.as_mut().expect("opened above");
        frame.messages += 1;
        if self.bytes.len() - frame.start >= FRAME_BYTES {
            self.close();
        }
    }

    /// Everything that can be written now.
    pub(crate) fn ready(&mut self) -> &[u8] {
        self.close();
        &self.bytes[self.written..]
    }

    /// The body of the only frame that waits, if there is just one and nobody has counted it.
    pub(crate) fn single(&mut self) -> Option<&[u8]> {
        self.close();
        let (length, body) = self.bytes.split_first_chunk::<4>()?;
        let is_alone = u32::from_le_bytes(*length) as usize == body.len();
        (self.new == 1 && self.written == 0 && is_alone).then_some(body)
    }

    /// The frames that there are will go, or went, one way or the other: how many had not been counted before.
    pub(crate) fn count_new(&mut self) -> u32 {
        self.close();
        std::mem::take(&mut self.new)
    }

    pub(crate) fn advance(&mut self, written: usize) {
        self.written += written;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            self.bytes.shrink_to(4 * FRAME_BYTES);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    fn close(&mut self) {
        if let Some(OpenFrame { start, messages }) = self.open.take() {
            let body = u32::try_from(self.bytes.len() - start - 4)
                .expect("a frame holds one turn's batches");
            let messages = u32::try_from(messages).expect("fewer messages than bytes");
            self.bytes[start..start + 4].copy_from_slice(&body.to_le_bytes());
            self.bytes[start + 4] = b'[';
            self.bytes[start + 5..start + HEADER].copy_from_slice(&messages.to_le_bytes());
            self.new += 1;
        }
    }
}

/// What came from one worker and is not a whole frame yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    taken: usize,
}

/// The announced length was beyond [`FRAME_BYTES_MAX`].
#[derive(Debug)]
pub(crate) struct TooLong(pub(crate) usize);

impl Inbox {
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame's body.
    pub(crate) fn next_frame(&mut self) -> Result<Option<&[u8]>, TooLong> {
        Ok(self.next_range()?.map(|range| &self.bytes[range]))
    }

    fn next_range(&mut self) -> Result<Option<Range<usize>>, TooLong> {
        let rest = &self.bytes[self.taken..];
        let Some(header) = rest.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*header) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(TooLong(length));
        }
        if rest.len() < 4 + length {
            return Ok(None);
        }
        let start = self.taken + 4;
        self.taken = start + length;
        Ok(Some(start..self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_turn_share_a_frame() {
        let mut outbox = Outbox::default();
        outbox.message(|to| to.int(1));
        outbox.message(|to| to.none());
        assert_eq!(outbox.ready(), b"\x0b\0\0\0[\x02\0\0\0i\x01\0\0\0N");
    }

    #[test]
    fn names_are_spelled_again_in_the_next_frame() {
        let mut outbox = Outbox::default();
        outbox.message(|to| to.name("key"));
        let first = outbox.ready().to_vec();
        outbox.advance(first.len());
        outbox.message(|to| to.name("key"));
        assert_eq!(outbox.ready(), first);
    }

    #[test]
    fn a_partial_write_keeps_the_rest() {
        let mut outbox = Outbox::default();
        outbox.message(|to| to.none());
        let all = outbox.ready().to_vec();
        outbox.advance(3);
        assert_eq!(outbox.ready(), &all[3..]);
        assert_eq!(outbox.len(), all.len() - 3);
    }

    #[test]
    fn a_frame_is_given_out_when_its_last_byte_is_there() {
        let mut inbox = Inbox::default();
        inbox.extend(b"\x02\0\0\0a");
        assert!(inbox.next_frame().unwrap().is_none());
        inbox.extend(b"b\x01\0\0\0c");
        assert_eq!(inbox.next_frame().unwrap(), Some(&b"ab"[..]));
        assert_eq!(inbox.next_frame().unwrap(), Some(&b"c"[..]));
        assert!(inbox.next_frame().unwrap().is_none());
    }

    #[test]
    fn an_absurd_length_is_refused_before_it_is_buffered() {
        let mut inbox = Inbox::default();
        inbox.extend(&u32::MAX.to_le_bytes());
        assert!(inbox.next_frame().is_err());
    }
}
