//! Messages over connections that are reliable and keep the order: RFC 8323.
//!
//! It takes the place that the message layer has over UDP: the exchange layer hands it content
//! and gets content from it. There is nothing to acknowledge, to repeat or to recognise as a
//! duplicate; there are messages to cut out of a stream, and signals about the connection itself.
//! Both sides of a connection do the same, so it makes no difference who opened it.
//!
//! | module | what |
//! |---|---|
//! | `reader` | cutting the stream into messages |
//! | `signal` | what peers announce by CSM, section 5 |

mod reader;
mod signal;

pub(crate) use reader::FrameReader;

use crate::config::Config;
use crate::delivery::{Content, Refused};
use crate::event::{CloseReason, Transmit};
use crate::ids::PeerId;
use crate::message::{Code, FRAME_OVERHEAD, FrameView, Options, Token, write_frame};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use hashbrown::HashMap;
use signal::Capabilities;

/// Whether a connection is about to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Both may ask.
    Open,
    /// This endpoint sent Release: it asks no more.
    Releasing,
    /// The peer sent Release: it is asked no more, and the connection ends with what is pending.
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

/// What a signal of a peer leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// Nothing above this layer.
    Handled,
    /// The peer answered a ping.
    Pong,
    /// The peer wants the connection to end when nothing is pending.
    Release,
    /// The connection is over.
    Close(CloseReason),
}

/// The connections to all peers that have one.
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

    /// The longest message that this endpoint takes.
    pub(crate) fn max_message_size(&self) -> usize {
        usize::try_from(self.own.max_message_size).unwrap_or(usize::MAX)
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.by_peer.contains_key(&peer)
    }

    /// Whether the peer may be asked.
    pub(crate) fn takes_requests(&self, peer: PeerId) -> bool {
        let phase = self.by_peer.get(&peer).map(|connection| connection.phase);
        !matches!(phase, Some(Phase::Releasing | Phase::Released))
    }

    /// Whether the peer wants the connection to end.
    pub(crate) fn is_released(&self, peer: PeerId) -> bool {
        self.by_peer.get(&peer).is_some_and(|connection| connection.phase == Phase::Released)
    }

    /// The longest message that the peer takes, and whether it takes several blocks in one.
    pub(crate) fn capacity(&self, peer: PeerId) -> Option<(usize, bool)> {
        let peer = self.by_peer.get(&peer)?.peer;
        Some((usize::try_from(peer.max_message_size).unwrap_or(usize::MAX), peer.takes_bert()))
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    // --- connections --------------------------------------------------------------------------

    /// Begins a connection: the first message is a CSM.
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

    /// Forgets a connection; what is to be sent on it stays.
    pub(crate) fn close(&mut self, peer: PeerId) {
        if let Some(connection) = self.by_peer.remove(&peer) {
            self.held -= connection.reader.held();
        }
    }

    /// Forgets a connection, and what is to be sent on it.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        if self.has(peer) {
            self.transmits.retain(|transmit| transmit.peer != peer);
            self.close(peer);
        }
    }

    /// Takes the reader of a connection for as long as messages are taken out of it.
    pub(crate) fn take_reader(&mut self, peer: PeerId) -> Option<FrameReader> {
        let reader = core::mem::take(&mut self.by_peer.get_mut(&peer)?.reader);
        self.held -= reader.held();
        Some(reader)
    }

    /// Puts it back; `false` if all incomplete messages together take too much memory.
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

    /// Sends a signal; without a text it has a few bytes only.
    fn push(&mut self, peer: PeerId, code: Code, token: Token, options: &Options, text: &[u8]) {
        self.scratch.clear();
        write_frame(&mut self.scratch, code, token, options, text);
        let payload = Bytes::copy_from_slice(&self.scratch);
        self.transmits.push_back(Transmit { peer, payload });
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self, peer: PeerId) {
        self.push(peer, Code::PING, Token::EMPTY, &Options::new(), b"");
    }

    /// Tells the peer that it shall close the connection when nothing is pending.
    pub(crate) fn release(&mut self, peer: PeerId) {
        let Some(connection) = self.by_peer.get_mut(&peer) else { return };
        if connection.phase == Phase::Open {
            connection.phase = Phase::Releasing;
            self.push(peer, Code::RELEASE, Token::EMPTY, &Options::new(), b"");
        }
    }

    /// Tells the peer why the connection ends at once.
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

    /// Whether a message may come now: the first is a CSM.
    pub(crate) fn expects(&self, peer: PeerId, code: Code) -> bool {
        matches!(code, Code::CSM | Code::ABORT | Code::EMPTY) || self.has_greeted(peer)
    }

    /// Whether the CSM of the peer has come.
    pub(crate) fn has_greeted(&self, peer: PeerId) -> bool {
        self.by_peer.get(&peer).is_some_and(|connection| connection.greeted)
    }

    /// Takes a signal in.
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
