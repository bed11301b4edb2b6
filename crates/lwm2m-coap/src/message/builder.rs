//! Writing a datagram: RFC 7252 section 3.

use super::option_encoding::{head, within_limit};
use super::{Code, MessageType, OptionNumber, Options, Token};
use alloc::vec::Vec;

/// Appends one message to a buffer that the caller owns and may reuse.
///
/// ```
/// use lwm2m_coap::{Code, MessageBuilder, MessageType, OptionNumber, Token};
///
/// let mut buffer = Vec::new();
/// MessageBuilder::new(&mut buffer, MessageType::Confirmable, Code::GET, 7, Token::EMPTY)
///     .option(OptionNumber::URI_PATH, b"3")
///     .option(OptionNumber::URI_PATH, b"0");
/// assert_eq!(buffer, [0x40, 0x01, 0, 7, 0xB1, b'3', 0x01, b'0']);
/// ```
#[derive(Debug)]
pub struct MessageBuilder<'a> {
    buffer: &'a mut Vec<u8>,
    last_option: u16,
}

impl<'a> MessageBuilder<'a> {
    /// Writes the header and the token.
    #[inline]
    pub fn new(
        buffer: &'a mut Vec<u8>,
        kind: MessageType,
        code: Code,
        message_id: u16,
        token: Token,
    ) -> Self {
        let (length, extended) = token.announced();
        let first = 0x40 | ((kind as u8) << 4) | length;
        let [high, low] = message_id.to_be_bytes();
        buffer.reserve(4 + 1 + token.len());
        buffer.extend_from_slice(&[first, code.as_byte(), high, low]);
        buffer.extend(extended);
        buffer.extend_from_slice(token.as_bytes());
        Self { buffer, last_option: 0 }
    }

    /// Writes an option. Options must come in ascending order of their numbers: an option with a
    /// smaller number than the one before is dropped. [`Options`] sorts, this method does not.
    #[inline]
    pub fn option(mut self, number: OptionNumber, value: &[u8]) -> Self {
        if let Some(delta) = number.0.checked_sub(self.last_option) {
            let value = within_limit(value);
            let (head, length) = head(delta, value.len());
            self.buffer.reserve(length + value.len());
            self.buffer.extend_from_slice(head.get(..length).unwrap_or_default());
            self.buffer.extend_from_slice(value);
            self.last_option = number.0;
        }
        self
    }

    /// Writes a list of options. If the message already has options, each follows the rule of
    /// [`MessageBuilder::option`].
    #[inline]
    pub fn options(mut self, options: &Options) -> Self {
        if self.last_option == 0 {
            self.buffer.extend_from_slice(options.as_encoded());
            self.last_option = options.last_number();
            return self;
        }
        options.iter().fold(self, |builder, (number, value)| builder.option(number, value))
    }

    /// Writes the payload. An empty payload writes nothing.
    #[inline]
    pub fn payload(self, payload: &[u8]) {
        if !payload.is_empty() {
            self.buffer.reserve(1 + payload.len());
            self.buffer.push(0xFF);
            self.buffer.extend_from_slice(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageView;

    #[test]
    fn all_types_and_token_lengths_have_their_golden_header() {
        for (kind, bits) in [
            (MessageType::Confirmable, 0x40),
            (MessageType::NonConfirmable, 0x50),
            (MessageType::Acknowledgement, 0x60),
            (MessageType::Reset, 0x70),
        ] {
            for length in [0, 8] {
                let mut buffer = Vec::new();
                let token = Token::new(&[9; 8][..length]).unwrap();
                MessageBuilder::new(&mut buffer, kind, Code::CONTENT, 0xABCD, token).payload(b"");
                assert_eq!(buffer[..4], [bits | length as u8, 0x45, 0xAB, 0xCD]);
                let view = MessageView::parse(&buffer).unwrap();
                assert_eq!((view.kind(), view.token()), (kind, token));
            }
        }
    }

    #[test]
    fn an_option_out_of_order_is_left_out() {
        let mut buffer = Vec::new();
        let mut options = Options::new();
        options.push(OptionNumber::URI_PATH, b"a");
        options.push(OptionNumber::URI_QUERY, b"b");
        MessageBuilder::new(&mut buffer, MessageType::NonConfirmable, Code::GET, 1, Token::EMPTY)
            .option(OptionNumber::CONTENT_FORMAT, &[])
            .options(&options)
            .payload(b"x");
        assert_eq!(buffer, [0x50, 1, 0, 1, 0xC0, 0x31, b'b', 0xFF, b'x']);
    }
}
