//! Peers on a connection: RFC 8323.

use super::Endpoint;
use crate::admit::Sender;
use crate::connections::{FrameReader, Signal};
use crate::delivery::Source;
use crate::error::Error;
use crate::event::{CloseReason, Event, FailReason};
use crate::ids::PeerId;
use crate::message::{Code, Fault, FrameError, FrameView};
use lwm2m_time::Instant;

/// Methods for peers on a connection: RFC 8323.
///
/// A peer is on a connection from [`connected`](Self::connected) to [`Event::Closed`], and has
/// another ID on the next connection. Requests, responses, observations and bodies work as with
/// datagrams. All of [`Config`](crate::Config) applies, except parameters of acknowledgements, NSTART
/// and duplicates. It makes no difference which side opened the connection.
///
/// The endpoint answers pings. It aborts a connection whose stream is malformed or has a message
/// longer than [`Config::max_message_size`](field@crate::Config::max_message_size).
impl Endpoint {
    /// A connection to or from a peer is established. The endpoint sends its CSM. Requests may follow
    /// at once, with at most 1,152 bytes per message until the peer announces more.
    ///
    /// # Errors
    /// There is state about too many peers. Close the stream then.
    pub fn connected(&mut self, now: Instant, peer: PeerId) -> Result<(), Error> {
        self.now = self.now.max(now);
        self.forget(peer);
        if !self.transport.has_room_for_connection() {
            return Err(Error::TooManyPeers(peer));
        }
        self.transport.connections.open(peer);
        self.settle_touched();
        Ok(())
    }

    /// Handles the next bytes of the stream of a peer, cut anywhere. Any input is accepted. Bytes of
    /// a peer that is not connected are ignored.
    pub fn handle_stream(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        self.handle_stream_from(now, peer, Sender::Proven, bytes);
    }

    /// As [`handle_stream`](Self::handle_stream) for a peer of which only so much is known. Anybody can
    /// connect, so a peer without security is [known](Sender::Known) at most: its bodies do not take
    /// the room of those in sessions.
    pub fn handle_stream_from(&mut self, now: Instant, peer: PeerId, sender: Sender, bytes: &[u8]) {
        self.now = self.now.max(now);
        let Some(mut reader) = self.transport.connections.take_reader(peer) else { return };
        let closed = self.read_stream(peer, sender, &mut reader, bytes);
        if closed.is_none() && !self.transport.connections.put_reader(peer, reader) {
            self.transport.messaging.statistics.dropped_overload += 1;
            self.abort(peer, CloseReason::Overload);
        }
        if let Some(reason) = closed {
            self.close(peer, reason);
        }
        self.settle(peer);
        self.settle_touched();
    }

    /// The stream of a peer ended. Pending requests fail with [`FailReason::Closed`], and
    /// [`Event::Closed`] follows unless it came before.
    pub fn disconnected(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.close(peer, CloseReason::Lost);
        self.settle_touched();
    }

    /// Aborts a connection whose peer has not sent its CSM in time (RFC 8323 section 5.3).
    pub fn abort_silent(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        if self.transport.connections.has(peer) {
            self.abort(peer, CloseReason::NoCsm);
        }
        self.settle_touched();
    }

    /// Sends a Ping to a connected peer. [`Event::Pong`] reports the answer (RFC 8323 section 5.4).
    pub fn ping(&mut self, peer: PeerId) {
        if self.transport.connections.has(peer) {
            self.transport.connections.ping(peer);
        }
    }

    /// Sends Release to a connected peer, which closes the connection when nothing is pending (RFC
    /// 8323 section 5.5). This endpoint sends no further requests on it.
    pub fn release(&mut self, peer: PeerId) {
        self.transport.connections.release(peer);
    }

    /// Whether the peer is connected and has sent its CSM.
    #[must_use]
    pub fn has_greeted(&self, peer: PeerId) -> bool {
        self.transport.connections.has_greeted(peer)
    }

    /// Handles the messages in `bytes`. Returns the reason if the connection ends.
    fn read_stream(
        &mut self,
        peer: PeerId,
        sender: Sender,
        reader: &mut FrameReader,
        mut bytes: &[u8],
    ) -> Option<CloseReason> {
        let max = self.transport.connections.max_message_size();
        loop {
            match reader.next(&mut bytes, max) {
                Ok(None) => return None,
                Ok(Some(frame)) => {
                    if let Some(reason) = self.handle_frame(peer, sender, &frame) {
                        return Some(reason);
                    }
                }
                Err(error) => {
                    self.transport.messaging.statistics.malformed += 1;
                    return Some(
                        self.transport.connections.abort(peer, CloseReason::Stream(error)),
                    );
                }
            }
        }
    }

    fn handle_frame(
        &mut self,
        peer: PeerId,
        sender: Sender,
        frame: &FrameView<'_>,
    ) -> Option<CloseReason> {
        self.transport.messaging.statistics.received += 1;
        let code = frame.code();
        if frame.token().len() > self.transport.max_token_length {
            self.transport.messaging.statistics.malformed += 1;
            let reason = CloseReason::Stream(FrameError::Malformed(Fault::Token));
            return Some(self.transport.connections.abort(peer, reason));
        }
        if !self.transport.connections.expects(peer, code) {
            return Some(self.transport.connections.abort(peer, CloseReason::NoCsm));
        }
        if code.is_signal() {
            return self.handle_signal(peer, frame);
        }
        if code.is_request() {
            // On a connection, type and message ID are not used.
            let source = Source { peer, message_id: 0, confirmable: true, sender };
            self.exchanges.accept(self.now, &mut self.transport, source, frame.parts());
        } else if !(code.is_response() && self.handle_answer(peer, frame)) && code != Code::EMPTY {
            self.transport.messaging.statistics.unexpected += 1;
        }
        self.finished(peer)
    }

    fn handle_answer(&mut self, peer: PeerId, frame: &FrameView<'_>) -> bool {
        self.exchanges.response(self.now, &mut self.transport, peer, frame.parts(), true)
    }

    fn handle_signal(&mut self, peer: PeerId, frame: &FrameView<'_>) -> Option<CloseReason> {
        match self.transport.connections.signal(peer, frame) {
            Signal::Handled => {}
            Signal::Pong => self.exchanges.events.push_back(Event::Pong { peer }),
            Signal::Release => {
                self.exchanges.end_observations(self.now, &mut self.transport, peer);
            }
            Signal::Close(reason) => return Some(reason),
        }
        self.finished(peer)
    }

    /// [`CloseReason::Released`] if the peer released the connection and nothing is pending.
    pub(crate) fn finished(&self, peer: PeerId) -> Option<CloseReason> {
        let finished =
            self.transport.connections.is_released(peer) && !self.exchanges.is_busy(peer);
        finished.then_some(CloseReason::Released)
    }

    fn abort(&mut self, peer: PeerId, reason: CloseReason) {
        self.transport.connections.abort(peer, reason);
        self.close(peer, reason);
    }

    /// Ends a connection. Its queued output is still sent.
    pub(crate) fn close(&mut self, peer: PeerId, reason: CloseReason) {
        if !self.transport.connections.has(peer) {
            return;
        }
        let transport = &mut self.transport;
        self.exchanges.end_observations(self.now, transport, peer);
        self.exchanges.remove_peer(self.now, transport, peer, FailReason::Closed);
        self.transport.connections.close(peer);
        self.transport.messaging.reset_parameters(peer);
        self.exchanges.events.push_back(Event::Closed { peer, reason });
    }
}
