//! The endpoint: exchanges over messaging or connections.

mod connected;
mod receive;

use crate::config::{Config, PeerParameters};
use crate::error::Error;
use crate::event::{Event, FailReason, GoneReason, Transmit, Unanswered};
use crate::exchange::{Exchanges, Streaming};
use crate::ids::{ExchangeId, Observer, PeerId, RequestId};
use crate::message::{Code, MessageView, Options, Token};
use crate::messaging::Expired;
use crate::request::Request;
use crate::response::Response;
use crate::statistics::Statistics;
use crate::transport::Transport;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use lwm2m_time::Instant;

/// A CoAP endpoint for any number of peers, as client and as server.
///
/// - **Input:** [`handle_datagram`](Self::handle_datagram),
///   [`handle_timeout`](Self::handle_timeout); for peers on a connection
///   [`connected`](Self::connected), [`handle_stream`](Self::handle_stream),
///   [`disconnected`](Self::disconnected).
/// - **Mutators:** [`request`](Self::request), [`respond`](Self::respond),
///   [`notify`](Self::notify) and the others.
/// - **Output:** after each of these calls, call [`poll_transmit`](Self::poll_transmit) and
///   [`poll_event`](Self::poll_event) until both return `None`. Then wait for the next input, at
///   most until [`poll_timeout`](Self::poll_timeout).
///
/// The endpoint answers by itself: pings, format errors, unknown critical options (4.02), requests
/// to a proxy (5.05), duplicates, all blocks of a request body but the last (2.31, 4.08, 4.13),
/// requests for later blocks of a response, requests that must be fresh but are not (4.01), and all
/// requests while a bound of [`Config`] is reached (5.03).
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) transport: Transport,
    pub(crate) exchanges: Exchanges,
    /// Peers without state. Separate from the events, because there may be very many at once and an
    /// event is large.
    idle: VecDeque<PeerId>,
    unanswered: Vec<Unanswered>,
    /// The latest time that was passed in.
    pub(crate) now: Instant,
}

impl Endpoint {
    /// Creates an endpoint. Outside of tests `seed` must be unpredictable: tokens, message IDs and
    /// Echo values derive from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            transport: Transport::new(config, seed),
            exchanges: Exchanges::new(config, seed),
            idle: VecDeque::new(),
            unanswered: Vec::new(),
            now: Instant::ZERO,
        }
    }

    // --- input --------------------------------------------------------------------------------

    /// Runs the timers that are due. Does nothing if it is called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.unanswered.clear();
        while let Some(expired) = self.transport.messaging.expire(self.now) {
            match expired {
                Expired::Undelivered(delivery_of, peer, sent) => {
                    let reason = FailReason::Unacknowledged { sent };
                    self.undelivered(delivery_of, reason, GoneReason::Timeout);
                    self.settle(peer);
                }
                Expired::Unanswered(unanswered) => self.unanswered.push(unanswered),
                Expired::Quiet(peer) => self.settle(peer),
            }
        }
        let unanswered = &mut self.unanswered;
        self.exchanges.expire(self.now, &mut self.transport, |peer| {
            let one = Unanswered { peer, retransmissions: 1 };
            // Of many requests to a peer, one is enough.
            if unanswered.last() != Some(&one) {
                unanswered.push(one);
            }
        });
        self.settle_touched();
    }

    // --- output -------------------------------------------------------------------------------

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transport.poll_transmit()
    }

    /// A confirmable message that was retransmitted for the first or second time, in the latest
    /// [`handle_timeout`](Self::handle_timeout), or a request on a connection that had no response for as
    /// long. It goes on being retransmitted; perhaps the layer
    /// below can reach the peer in another way.
    pub fn poll_unanswered(&mut self) -> Option<Unanswered> {
        self.unanswered.pop()
    }

    /// The next time to call [`Endpoint::handle_timeout`], if there is no other input before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.transport
            .messaging
            .poll_timeout()
            .into_iter()
            .chain(self.exchanges.poll_timeout())
            .min()
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.exchanges.events.pop_front();
        event.or_else(|| self.idle.pop_front().map(|peer| Event::PeerIdle { peer }))
    }

    // --- mutators -----------------------------------------------------------------------------

    /// Hands the bodies of requests that `choose` picks, by method and options, to the application
    /// block by block instead of as a whole (RFC 7959 section 2.5). The bytes are not kept, and
    /// [`Config::max_body`] does not count.
    ///
    /// Each block is an [`Event::Request`] of its own with the bytes of the block as its payload;
    /// [`Request::streamed_block`] tells which block it is. The endpoint makes sure that blocks come
    /// in order: a block that does not follow the one before gets 4.08, and block 0 begins a body
    /// anew. To take a block and go on, the application [responds](Self::respond) 2.31 Continue; any
    /// other response ends the body, and so does a peer that is silent for
    /// [`Config::body_lifetime`]. A body that fits into one message has no blocks and comes as a
    /// usual request.
    pub fn stream_bodies(
        &mut self,
        choose: impl Fn(Code, &Options) -> bool + Send + Sync + 'static,
    ) {
        self.exchanges.streaming = Streaming::new(choose);
    }

    /// Sends a request. It waits while NSTART other requests to the peer are in flight. A large body
    /// is sent in blocks. Exactly one [`Event::Response`] or [`Event::Failed`] follows, unless the
    /// request is [cancelled](Self::cancel). A new observation replaces the one of the same target.
    ///
    /// # Errors
    /// The code is not a method, the request does not fit into messages, or a bound is reached.
    pub fn request(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: Request,
    ) -> Result<RequestId, Error> {
        self.now = self.now.max(now);
        let id = self.exchanges.request(self.now, &mut self.transport, peer, request);
        self.settle_touched();
        id
    }

    /// Whether a request has not been sent, because others to the peer are under way (NSTART, RFC 7252
    /// section 4.7) or its session is not established.
    #[must_use]
    pub fn is_queued(&self, id: RequestId) -> bool {
        self.exchanges.is_queued(id)
    }

    /// Whether a message of a request, or of the fetch of its latest notification, is sent and not
    /// acknowledged: others to the peer wait for that.
    #[must_use]
    pub fn is_in_flight(&self, id: RequestId) -> bool {
        self.exchanges.is_in_flight(id)
    }

    /// The token of an observation: notifications have it.
    #[must_use]
    pub fn observation_token(&self, id: RequestId) -> Option<Token> {
        self.exchanges.observation_token(id)
    }

    /// Forgets a pending request or an observation. No event follows.
    ///
    /// A peer on datagrams is not told: its next notification is rejected with a Reset, which ends
    /// the observation (RFC 7641 section 3.6). A peer on a connection is told by the request with
    /// Observe 1 and the same token (RFC 8323 section 7.4).
    pub fn cancel(&mut self, id: RequestId) {
        self.exchanges.cancel(self.now, &mut self.transport, id);
        self.settle_touched();
    }

    /// Ends an observation by repeating its request with Observe = 1 and the same token (RFC 7641
    /// section 3.6). The response is reported for the returned ID.
    ///
    /// # Errors
    /// `id` has no observation, or a bound is reached.
    pub fn cancel_observation(&mut self, now: Instant, id: RequestId) -> Result<RequestId, Error> {
        self.now = self.now.max(now);
        let cancellation = self.exchanges.cancel_observation(self.now, &mut self.transport, id);
        self.settle_touched();
        cancellation
    }

    /// Repeats the requests of all observations on a peer with their tokens, one after the other, unless
    /// it is on a connection (RFC 7641 section 3.3.1): the peer may have ended them, for example because a notification came by
    /// an unknown path and was rejected. An [`Event::Notification`] follows where the answer has
    /// another representation than the application was told before.
    pub fn refresh_observations(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.exchanges.refresh_observations(self.now, &mut self.transport, peer);
        self.settle_touched();
    }

    /// Answers a request: in the acknowledgement if that is not sent yet, else in a separate response
    /// (RFC 7252 section 5.2). A large body is cut into blocks, which the peer fetches from the
    /// endpoint.
    ///
    /// # Errors
    /// The exchange is unknown, the code is not a response code, or the response does not fit into
    /// messages. In the last two cases the exchange still waits for a response.
    pub fn respond(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        response: Response,
    ) -> Result<(), Error> {
        self.now = self.now.max(now);
        let done = self.exchanges.respond(self.now, &mut self.transport, exchange, response);
        self.settle_touched();
        done
    }

    /// Notes the response that a request will get as soon as what it asks for is durable, and marks
    /// the request for [`promises`](Self::promises). Does nothing for requests that are never sent
    /// twice: on connections, or not confirmable.
    pub fn promise(&mut self, exchange: ExchangeId, response: &Response) {
        self.exchanges.promise(&mut self.transport, exchange, response);
    }

    /// Lets copies of requests that were [promised](Self::promise) before a restart be duplicates
    /// again, within EXCHANGE_LIFETIME of the first one: they get the same response, and no event
    /// follows. `peer` is on the same path as before, which is the same address or session. Times
    /// count from the same origin. Ignores bytes that are no [`promises`](Self::promises).
    pub fn restore_promises(&mut self, now: Instant, peer: PeerId, promises: &[u8]) {
        self.now = self.now.max(now);
        self.transport.messaging.restore_promises(self.now, peer, promises);
    }

    /// Lets the message IDs to a peer, on the same path as before a restart, begin where the time says:
    /// the peer would take a message for a copy whose ID it remembers from before. For protected paths,
    /// where nobody else can use that the IDs are known. Times count from the same origin.
    pub fn restore_message_ids(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.transport.messaging.restore_message_ids(self.now, peer);
    }

    /// Notifies an observer of a newer state. The notification replaces an older one that is still in
    /// flight (RFC 7641 section 4.5.2). A response of class 4 or 5 ends the observation. The endpoint
    /// makes a notification confirmable if none was within
    /// [`Config::confirm_notifications_every`](field@Config::confirm_notifications_every).
    ///
    /// # Errors
    /// The peer does not observe, the code is not a response code, or the notification does not fit
    /// into messages.
    pub fn notify(
        &mut self,
        now: Instant,
        observer: Observer,
        response: Response,
        confirmable: bool,
    ) -> Result<(), Error> {
        self.now = self.now.max(now);
        let transport = &mut self.transport;
        let done = self.exchanges.notify(self.now, transport, observer, response, confirmable);
        self.settle_touched();
        done
    }

    /// Goes on with an observation that `request` of a peer began before a restart; `false` if there
    /// is no room. `sequence` has to be at least the [sequence](Self::sequence) number of the last
    /// notification before the restart, or the observer takes what follows for older (RFC 7641
    /// section 3.4).
    pub fn restore_observer(
        &mut self,
        now: Instant,
        observer: Observer,
        request: &Request,
        sequence: u32,
    ) -> bool {
        self.now = self.now.max(now);
        let transport = &mut self.transport;
        let done =
            self.exchanges.restore_observer(self.now, transport, observer, request, sequence);
        self.settle_touched();
        done
    }

    /// The 24-bit sequence number of the latest notification of an observation (RFC 7641 section 4.4);
    /// `None` if there is no such observation.
    #[must_use]
    pub fn sequence(&self, observer: Observer) -> Option<u32> {
        self.exchanges.sequence(observer)
    }

    /// Forgets an observer without telling it. No event follows.
    pub fn forget_observer(&mut self, observer: Observer) {
        self.exchanges.forget_observer(&mut self.transport, observer);
        self.settle_touched();
    }

    /// Gives a peer its own parameters, for example for a slow network or a sleeping device. They
    /// apply from the next message on, also after the peer was idle, until they are
    /// [reset](Self::reset_parameters), the peer is [removed](Self::remove_peer) or its connection
    /// ends. Peers can share them.
    ///
    /// # Errors
    /// [`Config::max_peers`](field@Config::max_peers) peers have parameters of their own.
    pub fn set_parameters(&mut self, peer: PeerId, own: Arc<PeerParameters>) -> Result<(), Error> {
        let fits = self.transport.messaging.set_parameters(peer, own);
        fits.then_some(()).ok_or(Error::TooManyPeers(peer))
    }

    /// Returns a peer to the parameters of [`Config`].
    pub fn reset_parameters(&mut self, peer: PeerId) {
        self.transport.messaging.reset_parameters(peer);
    }

    /// Holds requests to a peer back, because the layer below cannot reach it yet, for example during
    /// a handshake. Their timers start with [`resume`](Self::resume).
    pub fn suspend(&mut self, peer: PeerId) {
        self.exchanges.suspend(self.now, &mut self.transport, peer, true);
    }

    /// Sends the requests that [`suspend`](Self::suspend) held back.
    pub fn resume(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.exchanges.suspend(self.now, &mut self.transport, peer, false);
        self.settle_touched();
    }

    /// Retransmits the confirmable messages to a peer without further delay, because the layer below
    /// reaches it better than before. Each counts as one of its retransmissions.
    pub fn hasten(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.transport.messaging.hasten(self.now, peer);
    }

    /// The session below ended, so a peer of datagrams cannot be reached any more. Pending requests
    /// fail with [`FailReason::Closed`], and observations end.
    pub fn lose(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.exchanges.end_observations(self.now, &mut self.transport, peer);
        self.exchanges.remove_peer(self.now, &mut self.transport, peer, FailReason::Closed);
        self.transport.remove_peer(peer);
        self.transport.messaging.reset_parameters(peer);
        self.settle(peer);
        self.settle_touched();
    }

    /// Removes all state about a peer. Pending requests fail with [`FailReason::Cancelled`].
    pub fn remove_peer(&mut self, peer: PeerId) {
        self.forget(peer);
        self.transport.messaging.reset_parameters(peer);
        self.settle(peer);
        self.settle_touched();
    }

    /// Lets `keep` go on by the path of `from`, at whose end is the same peer, and gives `from` the
    /// old path. Requests of both that wait for a response, and the requests and observations of
    /// `keep`, are those of `keep` from now on. Requests with idempotent methods are sent again on
    /// the new path; others wait on for their responses, which match by their tokens. Message IDs
    /// and remembered duplicates stay with their paths.
    ///
    /// Observations end if the old or the new path is a connection: they end with their connection
    /// (RFC 8323 section 7.4).
    ///
    /// Returns `false`, and changes nothing, if `from` has requests or observations of its own.
    #[must_use]
    pub fn rebind(&mut self, now: Instant, keep: PeerId, from: PeerId) -> bool {
        if keep == from {
            return true;
        }
        if self.exchanges.is_engaged(from) {
            return false;
        }
        self.now = self.now.max(now);
        let connections = &self.transport.connections;
        let stream = connections.has(keep) || connections.has(from);
        let transport = &mut self.transport;
        if stream {
            self.exchanges.end_observations(self.now, transport, keep);
        }
        self.exchanges.leave_path(self.now, transport, keep, stream);
        for undelivered in transport.rebind(self.now, keep, from) {
            self.undelivered(undelivered, FailReason::TooManyMessages, GoneReason::Timeout);
        }
        self.exchanges.take_over(keep, from);
        self.exchanges.advance(self.now, &mut self.transport, keep);
        self.settle(keep);
        self.settle(from);
        self.settle_touched();
        true
    }

    // --- getters ------------------------------------------------------------------------------

    /// The latest four [promised](Self::promise) requests of a peer, with their responses, as bytes
    /// for [`restore_promises`](Self::restore_promises). Empty without any, which allocates nothing.
    #[must_use]
    pub fn promises(&self, peer: PeerId) -> Vec<u8> {
        self.transport.messaging.promises(peer)
    }

    /// Whether there is no state about a peer.
    #[must_use]
    pub fn is_idle(&self, peer: PeerId) -> bool {
        !self.transport.knows(peer) && !self.exchanges.knows(peer)
    }

    /// Whether a datagram is a response or notification with a token that a request of this endpoint
    /// to the peer has.
    #[must_use]
    pub fn is_addressed(&self, peer: PeerId, datagram: &[u8]) -> bool {
        MessageView::parse(datagram).is_ok_and(|view| {
            view.code().is_response() && self.exchanges.has_token(peer, view.token())
        })
    }

    /// The latest time that was passed in.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The counters.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.transport.messaging.statistics
    }

    // --- state --------------------------------------------------------------------------------

    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.exchanges.remove_peer(self.now, &mut self.transport, peer, FailReason::Cancelled);
        self.transport.remove_peer(peer);
    }

    /// Closes a finished connection, and reports a peer that has no state left.
    pub(crate) fn settle(&mut self, peer: PeerId) {
        if let Some(reason) = self.finished(peer) {
            self.close(peer, reason);
        }
        if self.is_idle(peer) && self.idle.back() != Some(&peer) {
            self.idle.push_back(peer);
            self.exchanges.shrink();
            self.transport.messaging.shrink();
        }
    }

    pub(crate) fn settle_touched(&mut self) {
        while let Some(peer) = self.exchanges.poll_touched() {
            self.settle(peer);
        }
        self.transport.messaging.statistics.evicted += self.exchanges.take_evicted();
    }
}
