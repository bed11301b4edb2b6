//! Messages over reliable connections: RFC 8323.
//!
//! This layer replaces the message layer for connected peers. Nothing is acknowledged, retransmitted
//! or deduplicated. Instead, messages are cut out of a stream, and signaling messages manage the
//! connection. Both sides of a connection behave alike.
//!
//! | module | what |
//! |---|---|
//! | `reader` | cuts a stream into messages, section 3.2 |
//! | `signal` | capabilities and other signaling messages, section 5 |

mod reader;
mod signal;

pub(crate) use reader::FrameReader;

use crate::config::Config;
use crate::delivery::{Content, Refused};
use crate::event::{CloseReason, Transmit};
use crate::ids::PeerId;
use crate::message::{Code, FRAME_OVERHEAD, FrameView, Options, Token, write_frame};
use crate::table::shrink;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use hashbrown::HashMap;
use signal::Capabilities;

/// The phase of a connection: RFC 8323 section 5.5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Both sides may send requests.
    Open,
    /// This endpoint sent Release and sends no further requests.
    Releasing,
    /// The peer sent Release. It gets no further requests, and the connection ends when nothing is
    /// pending.
    Released,
}

#[derive(Clone, Debug)]
struct Connection {
    phase: Phase,
    /// The peer has sent its CSM.
    greeted: bool,
    peer: Capabilities,
    reader: FrameReader,
}

/// What a signaling message leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// This layer has handled the message.
    Handled,
    /// The peer answered a Ping.
    Pong,
    /// The peer released the connection.
    Release,
    /// The connection ends.
    Close(CloseReason),
}

/// The connections to all connected peers.
#[derive(Debug)]
pub(crate) struct Connections {
    own: Capabilities,
    max_held: usize,
    by_peer: HashMap<PeerId, Connection>,
    /// The bytes of incomplete messages, over all peers.
    held: usize,
    transmits: VecDeque<Transmit>,
    scratch: Vec<u8>,
}

impl Connections {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            own: Capabilities {
                max_message_size: config.max_message_size,
                block_wise_transfer: true,
                max_token_length: config.max_token_length.min(Token::MAX_LENGTH),
            },
            max_held: config.max_incomplete_messages,
            by_peer: HashMap::new(),
            held: 0,
            transmits: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_peer.len()
    }

    /// The longest message that this endpoint accepts, in bytes.
    pub(crate) fn max_message_size(&self) -> usize {
        usize::try_from(self.own.max_message_size).unwrap_or(usize::MAX)
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.by_peer.contains_key(&peer)
    }

    /// Whether requests may be sent to the peer.
    pub(crate) fn takes_requests(&self, peer: PeerId) -> bool {
        let phase = self.by_peer.get(&peer).map(|connection| connection.phase);
        !matches!(phase, Some(Phase::Releasing | Phase::Released))
    }

    /// Whether the peer released the connection.
    pub(crate) fn is_released(&self, peer: PeerId) -> bool {
        self.by_peer.get(&peer).is_some_and(|connection| connection.phase == Phase::Released)
    }

    /// The longest message that the peer accepts in bytes, and whether the peer supports BERT.
    pub(crate) fn capacity(&self, peer: PeerId) -> Option<(usize, bool)> {
        let peer = self.by_peer.get(&peer)?.peer;
        Some((usize::try_from(peer.max_message_size).unwrap_or(usize::MAX), peer.takes_bert()))
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    // --- connections --------------------------------------------------------------------------

    /// Opens a connection by sending the CSM.
    pub(crate) fn open(&mut self, peer: PeerId) {
        let connection = Connection {
            phase: Phase::Open,
            greeted: false,
            peer: Capabilities::BASE,
            reader: FrameReader::default(),
        };
        self.by_peer.insert(peer, connection);
        self.push(peer, Code::CSM, Token::EMPTY, &self.own.to_options(), b"");
    }

    /// Removes a connection, but keeps its queued output.
    pub(crate) fn close(&mut self, peer: PeerId) {
        if let Some(connection) = self.by_peer.remove(&peer) {
            self.held -= connection.reader.held();
            shrink(&mut self.by_peer);
        }
    }

    /// Exchanges the connections of two peers.
    pub(crate) fn exchange(&mut self, a: PeerId, b: PeerId) {
        let (of_a, of_b) = (self.by_peer.remove(&a), self.by_peer.remove(&b));
        of_a.into_iter().for_each(|connection| _ = self.by_peer.insert(b, connection));
        of_b.into_iter().for_each(|connection| _ = self.by_peer.insert(a, connection));
        for transmit in &mut self.transmits {
            if transmit.peer == a || transmit.peer == b {
                transmit.peer = if transmit.peer == a { b } else { a };
            }
        }
    }

    /// Removes a connection and its queued output.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        if self.has(peer) {
            self.transmits.retain(|transmit| transmit.peer != peer);
            self.close(peer);
        }
    }

    /// Takes the reader of a connection out to read messages from it.
    pub(crate) fn take_reader(&mut self, peer: PeerId) -> Option<FrameReader> {
        let reader = core::mem::take(&mut self.by_peer.get_mut(&peer)?.reader);
        self.held -= reader.held();
        Some(reader)
    }

    /// Puts the reader back. Returns `false` if incomplete messages take too much memory.
    pub(crate) fn put_reader(&mut self, peer: PeerId, reader: FrameReader) -> bool {
        let Some(connection) = self.by_peer.get_mut(&peer) else { return true };
        self.held += reader.held();
        connection.reader = reader;
        self.held <= self.max_held
    }

    // --- messages -----------------------------------------------------------------------------

    /// Sends a message.
    pub(crate) fn send(&mut self, peer: PeerId, content: Content<'_>) -> Result<(), Refused> {
        let Content { code, token, options, payload } = content;
        let (max, _) = self.capacity(peer).ok_or(Refused::Peers)?;
        self.scratch.clear();
        write_frame(&mut self.scratch, code, token, options, payload);
        if self.scratch.len() > max {
            return Err(Refused::TooLong);
        }
        let payload = Bytes::copy_from_slice(&self.scratch);
        self.transmits.push_back(Transmit { peer, payload });
        Ok(())
    }

    /// Sends a signaling message.
    fn push(&mut self, peer: PeerId, code: Code, token: Token, options: &Options, text: &[u8]) {
        self.scratch.clear();
        write_frame(&mut self.scratch, code, token, options, text);
        let payload = Bytes::copy_from_slice(&self.scratch);
        self.transmits.push_back(Transmit { peer, payload });
    }

    /// Sends a Ping: RFC 8323 section 5.4.
    pub(crate) fn ping(&mut self, peer: PeerId) {
        self.push(peer, Code::PING, Token::EMPTY, &Options::new(), b"");
    }

    /// Sends a Release, once: RFC 8323 section 5.5.
    pub(crate) fn release(&mut self, peer: PeerId) {
        let Some(connection) = self.by_peer.get_mut(&peer) else { return };
        if connection.phase == Phase::Open {
            connection.phase = Phase::Releasing;
            self.push(peer, Code::RELEASE, Token::EMPTY, &Options::new(), b"");
        }
    }

    /// Sends an Abort with the reason, and returns the reason: RFC 8323 section 5.6.
    pub(crate) fn abort(&mut self, peer: PeerId, reason: CloseReason) -> CloseReason {
        let mut options = Options::new();
        if let CloseReason::CriticalOption { code: Code::CSM, number } = reason {
            options.push_uint(signal::BAD_CSM_OPTION, number.0.into());
        }
        let text = alloc::format!("{reason}");
        let length = FRAME_OVERHEAD + options.as_encoded().len() + text.len();
        let fits = self.capacity(peer).is_some_and(|(max, _)| length <= max);
        let text = if fits { text.as_bytes() } else { b"" };
        self.push(peer, Code::ABORT, Token::EMPTY, &options, text);
        reason
    }

    /// Whether the peer may send a message with this code now: its first message is a CSM.
    pub(crate) fn expects(&self, peer: PeerId, code: Code) -> bool {
        matches!(code, Code::CSM | Code::ABORT | Code::EMPTY) || self.has_greeted(peer)
    }

    /// Whether the peer has sent its CSM.
    pub(crate) fn has_greeted(&self, peer: PeerId) -> bool {
        self.by_peer.get(&peer).is_some_and(|connection| connection.greeted)
    }

    /// Handles a signaling message.
    pub(crate) fn signal(&mut self, peer: PeerId, signal: &FrameView<'_>) -> Signal {
        let code = signal.code();
        let Some(connection) = self.by_peer.get_mut(&peer) else { return Signal::Handled };
        if code == Code::ABORT {
            return Signal::Close(CloseReason::Aborted);
        }
        if let Some(number) = signal::critical_option(signal) {
            return Signal::Close(self.abort(peer, CloseReason::CriticalOption { code, number }));
        }
        match code {
            Code::CSM => {
                connection.peer.learn(signal);
                connection.greeted = true;
                Signal::Handled
            }
            Code::PING => {
                self.push(peer, Code::PONG, signal.token(), &Options::new(), b"");
                Signal::Handled
            }
            Code::PONG => Signal::Pong,
            Code::RELEASE => {
                connection.phase = Phase::Released;
                Signal::Release
            }
            _ => Signal::Handled,
        }
    }
}
