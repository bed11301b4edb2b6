//! Cuts a stream into messages: RFC 8323 section 3.2.

use crate::message::{FrameError, FrameView, frame_length};
use alloc::vec::Vec;

/// Buffers an incomplete message of a stream. The buffer never holds more than one message or more
/// bytes than were received, and is freed between messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameReader {
    buffer: Vec<u8>,
    /// Whether the message in the buffer was returned.
    taken: bool,
}

impl FrameReader {
    /// The number of buffered bytes.
    pub(crate) const fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next message from the front of `input` and leaves the rest there. Returns `None` when
    /// `input` is used up. A message that is complete in `input` is not copied.
    ///
    /// # Errors
    /// The stream is malformed and cannot be read any further.
    pub(crate) fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        max: usize,
    ) -> Result<Option<FrameView<'a>>, FrameError> {
        if core::mem::take(&mut self.taken) {
            self.buffer = Vec::new();
        }
        if self.buffer.is_empty()
            && let Some((frame, rest)) = FrameView::parse(input, max)?
        {
            *input = rest;
            return Ok(Some(frame));
        }
        self.taken = self.fill(input, max)?;
        if self.taken { FrameView::parse_whole(&self.buffer).map(Some) } else { Ok(None) }
    }

    /// Moves bytes into the buffer. Returns `true` once the message in it is complete.
    fn fill(&mut self, input: &mut &[u8], max: usize) -> Result<bool, FrameError> {
        loop {
            // Byte by byte until the length is known.
            let length = frame_length(&self.buffer, max)?;
            let wanted = length.map_or(1, |length| length - self.buffer.len());
            if wanted == 0 || input.is_empty() {
                return Ok(wanted == 0);
            }
            let (piece, rest) = input.split_at(wanted.min(input.len()));
            self.buffer.extend_from_slice(piece);
            *input = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Code, Options, Token, write_frame};

    #[test]
    fn a_message_is_complete_with_its_last_byte_and_leaves_nothing() {
        let mut stream = Vec::new();
        write_frame(&mut stream, Code::GET, Token::EMPTY, &Options::new(), &[1; 20]);
        write_frame(&mut stream, Code::EMPTY, Token::EMPTY, &Options::new(), b"");
        let mut reader = FrameReader::default();
        let first = stream.len() - 2;
        for (at, byte) in stream.iter().enumerate() {
            let mut input = core::slice::from_ref(byte);
            let complete = reader.next(&mut input, 64).unwrap().is_some();
            assert_eq!(complete, at + 1 == first || at + 1 == stream.len());
            assert!(input.is_empty());
            assert!(reader.held() <= first);
        }
        assert!(reader.next(&mut &b""[..], 64).unwrap().is_none());
        assert_eq!((reader.held(), reader.buffer.capacity()), (0, 0));
    }

    #[test]
    fn a_length_that_lies_takes_no_memory() {
        let mut reader = FrameReader::default();
        let mut input = &[0xF0, 0x00, 0x0E, 0x00][..];
        assert!(reader.next(&mut input, 1 << 20).unwrap().is_none());
        let mut input = &[0x00, 1, 2][..];
        assert!(reader.next(&mut input, 1 << 20).unwrap().is_none());
        assert_eq!(reader.held(), 7);
        assert!(reader.buffer.capacity() < 64);
    }
}
