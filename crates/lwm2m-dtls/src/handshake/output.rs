//! What a step of a handshake yields: a flight, keys, and the finished handshake.

use super::framing::MessageType;
use super::keys::Keys;
use super::schedule::{Master, verify_data};
use super::transcript::Transcript;
use crate::identity::Identity;
use crate::mode::Role;
use crate::record::header::ContentType;
use crate::resumption::{CacheKey, Resumption};
use crate::suite::CipherSuite;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

/// A message or ChangeCipherSpec of a flight.
#[derive(Clone, Debug)]
pub(crate) struct FlightItem {
    pub(crate) epoch: u16,
    pub(crate) content: ContentType,
    pub(crate) bytes: Vec<u8>,
}

/// What a finished handshake has established.
pub(crate) struct Completed {
    pub(crate) identity: Identity,
    pub(crate) suite: CipherSuite,
    pub(crate) resumed: bool,
    pub(crate) resumption: Option<Box<Resumption>>,
    /// The server's cache entry for the session.
    pub(crate) cached: Option<CacheKey>,
}

/// An event of a connection whose protocol reads its own records.
pub(crate) enum Step {
    Connected(Box<Completed>),
    Data(Bytes),
    /// The peer sent close_notify.
    CloseNotify,
}

/// The result of one step of a native state machine.
#[derive(Default)]
pub(crate) struct Output {
    /// A new flight, which is sent now and again until the peer answers it.
    pub(crate) flight: Vec<FlightItem>,
    pub(crate) keys: Option<Box<Keys>>,
    pub(crate) completed: Option<Box<Completed>>,
}

impl Output {
    /// Adds a handshake message to the flight and the transcript.
    pub(super) fn message(&mut self, transcript: &mut Transcript, kind: MessageType, body: &[u8]) {
        let bytes = transcript.send(kind, body);
        self.flight.push(FlightItem { epoch: 0, content: ContentType::HANDSHAKE, bytes });
    }

    /// Adds ChangeCipherSpec and Finished.
    pub(super) fn finished(&mut self, transcript: &mut Transcript, master: &Master, role: Role) {
        let data = verify_data(master, role, &transcript.hash());
        let content = ContentType::CHANGE_CIPHER_SPEC;
        self.flight.push(FlightItem { epoch: 0, content, bytes: alloc::vec![1] });
        let bytes = transcript.send(MessageType::FINISHED, &data);
        self.flight.push(FlightItem { epoch: 1, content: ContentType::HANDSHAKE, bytes });
    }
}
