//! The running hash of a handshake and the headers of its messages: RFC 6347 section 4.2.2.

use super::message::MessageType;
use super::wire::put_u24;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// What carries the handshake: headers of messages, numbers of versions and cookies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// DTLS: headers of 12 bytes, as if each message were one fragment.
    Datagram,
    /// TLS: headers of 4 bytes.
    Stream,
}

impl Framing {
    /// The one version that is spoken: 1.2.
    pub(crate) const fn version(self) -> u16 {
        match self {
            Self::Datagram => crate::record::VERSION,
            Self::Stream => crate::record::TLS_VERSION,
        }
    }

    /// Whether a client that speaks versions up to `offered` speaks ours. DTLS counts downwards.
    pub(crate) const fn is_within(self, offered: u16) -> bool {
        match self {
            Self::Datagram => offered <= self.version(),
            Self::Stream => offered >= self.version(),
        }
    }

    /// The length of a message's header.
    pub(crate) const fn header_length(self) -> usize {
        match self {
            Self::Datagram => 12,
            Self::Stream => 4,
        }
    }
}

/// The hash of all messages so far, and the numbers of ours.
#[derive(Clone)]
pub(crate) struct Transcript {
    framing: Framing,
    hash: Sha256,
    next_sent: u16,
    /// All messages, as long as a CertificateVerify may have to cover them.
    messages: Option<Vec<u8>>,
}

impl Transcript {
    /// `next_sent`: the number of our next message.
    pub(crate) fn new(framing: Framing, next_sent: u16) -> Self {
        Self { framing, hash: Sha256::new(), next_sent, messages: Some(Vec::new()) }
    }

    /// Forgets what was hashed, not how many messages were sent: after a HelloVerifyRequest.
    pub(crate) fn restart(&mut self) {
        self.hash = Sha256::new();
        self.messages = Some(Vec::new());
    }

    /// Keeps the hash only: nothing will be signed any more.
    pub(crate) fn forget_messages(&mut self) {
        self.messages = None;
    }

    /// All messages so far, until [`Self::forget_messages`].
    pub(crate) fn messages(&self) -> &[u8] {
        self.messages.as_deref().unwrap_or_default()
    }

    /// Adds a received message with its header.
    pub(crate) fn add(&mut self, raw: &[u8]) {
        self.hash.update(raw);
        if let Some(messages) = &mut self.messages {
            messages.extend_from_slice(raw);
        }
    }

    /// Frames a message of ours and adds it.
    pub(crate) fn send(&mut self, kind: MessageType, body: &[u8]) -> Vec<u8> {
        let message = frame(self.framing, kind, self.next_sent, body);
        self.next_sent = self.next_sent.wrapping_add(1);
        self.add(&message);
        message
    }

    /// The hash so far.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

/// A message with its header; on datagrams that of a single fragment.
pub(crate) fn frame(framing: Framing, kind: MessageType, sequence: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(framing.header_length() + body.len());
    out.push(kind.0);
    put_u24(&mut out, body.len());
    if framing == Framing::Datagram {
        out.extend_from_slice(&sequence.to_be_bytes());
        put_u24(&mut out, 0);
        put_u24(&mut out, body.len());
    }
    out.extend_from_slice(body);
    out
}
