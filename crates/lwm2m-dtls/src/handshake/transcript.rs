//! The running hash of a handshake: RFC 5246 section 7.4.9, RFC 6347 section 4.2.6.

use super::framing::{Framing, MessageType, frame};
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The hash of all messages so far, and the number of our next one.
#[derive(Clone)]
pub(crate) struct Transcript {
    framing: Framing,
    hash: Sha256,
    next_sent: u16,
    /// All messages, until no CertificateVerify can follow that signs them.
    messages: Option<Vec<u8>>,
}

impl Transcript {
    /// Creates an empty transcript; `next_sent` is the number of our next message.
    pub(crate) fn new(framing: Framing, next_sent: u16) -> Self {
        Self { framing, hash: Sha256::new(), next_sent, messages: Some(Vec::new()) }
    }

    /// Restarts the hash after a HelloVerifyRequest. Our messages are still counted.
    pub(crate) fn restart(&mut self) {
        self.hash = Sha256::new();
        self.messages = Some(Vec::new());
    }

    /// Drops the messages and keeps the hash, because nothing more will be signed.
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

    /// Frames a message of ours, adds it and returns it.
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
