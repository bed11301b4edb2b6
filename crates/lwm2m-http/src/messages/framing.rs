//! Messages of CoAP from recorded bytes. What the other side sent may be anything.

use bytes::Bytes;
use lwm2m_coap::{Code, FrameView, MessageType, MessageView, Options, Token};
use lwm2m_link::{Recorded, Way};

/// The longest message of a stream that is put together, in bytes.
const MAX_FRAME: usize = 1 << 20;

/// What recorded bytes are.
#[derive(Debug)]
pub(crate) enum Framed {
    Message(Message),
    Malformed { why: String, raw: Bytes },
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Type and message ID; messages on streams have neither.
    pub(crate) head: Option<(MessageType, u16)>,
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: Bytes,
    pub(crate) raw: Bytes,
}

impl Framed {
    pub(crate) const fn raw(&self) -> &Bytes {
        match self {
            Self::Message(message) => &message.raw,
            Self::Malformed { raw, .. } => raw,
        }
    }

    pub(crate) fn into_raw(self) -> Bytes {
        match self {
            Self::Message(message) => message.raw,
            Self::Malformed { raw, .. } => raw,
        }
    }
}

/// Puts messages together from the pieces of a stream, each way by itself.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl Framing {
    /// The messages that end in these bytes.
    pub(crate) fn take(&mut self, recorded: &Recorded) -> Vec<Framed> {
        if !recorded.carriage.is_stream {
            return vec![datagram(&recorded.bytes)];
        }
        let buffer = match recorded.way {
            Way::Received => &mut self.received,
            Way::Sent => &mut self.sent,
        };
        buffer.extend_from_slice(&recorded.bytes);
        let mut rest = &buffer[..];
        let mut framed = Vec::new();
        loop {
            match FrameView::parse(rest, MAX_FRAME) {
                Ok(Some((frame, after))) => {
                    let length = rest.len() - after.len();
                    let raw = Bytes::copy_from_slice(rest.get(..length).unwrap_or_default());
                    framed.push(Framed::Message(of_frame(&frame, raw)));
                    rest = after;
                }
                Ok(None) => break,
                Err(error) => {
                    // The next piece may begin with a message.
                    let raw = Bytes::copy_from_slice(rest);
                    framed.push(Framed::Malformed { why: error.to_string(), raw });
                    rest = &[];
                    break;
                }
            }
        }
        let rest = rest.len();
        buffer.drain(..buffer.len() - rest);
        framed
    }
}

fn datagram(bytes: &Bytes) -> Framed {
    match MessageView::parse(bytes) {
        Ok(view) => Framed::Message(Message {
            head: Some((view.kind(), view.message_id())),
            code: view.code(),
            token: view.token(),
            options: view.to_options(),
            payload: Bytes::copy_from_slice(view.payload()),
            raw: bytes.clone(),
        }),
        Err(error) => Framed::Malformed { why: error.to_string(), raw: bytes.clone() },
    }
}

fn of_frame(frame: &FrameView<'_>, raw: Bytes) -> Message {
    Message {
        head: None,
        code: frame.code(),
        token: frame.token(),
        options: frame.to_options(),
        payload: Bytes::copy_from_slice(frame.payload()),
        raw,
    }
}
