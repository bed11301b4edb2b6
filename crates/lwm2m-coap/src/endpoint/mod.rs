//! The endpoint: the exchange layer and what carries its messages put together.

mod connected;
mod receive;

use crate::config::{Config, PeerParameters};
use crate::error::Error;
use crate::event::{Event, FailReason, GoneReason, Transmit};
use crate::exchange::Exchanges;
use crate::ids::{ExchangeId, Observer, PeerId, RequestId};
use crate::messaging::Expired;
use crate::request::Request;
use crate::response::Response;
use crate::statistics::Statistics;
use crate::transport::Transport;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use lwm2m_time::Instant;

/// A CoAP endpoint that speaks with any number of peers, as client and as server.
///
/// - **Input:** [`handle_datagram`](Self::handle_datagram),
///   [`handle_timeout`](Self::handle_timeout); for peers on a connection
///   [`connected`](Self::connected), [`handle_stream`](Self::handle_stream),
///   [`disconnected`](Self::disconnected).
/// - **Mutators:** [`request`](Self::request), [`respond`](Self::respond),
///   [`notify`](Self::notify) and the others.
/// - **Output:** after each of these, [`poll_transmit`](Self::poll_transmit) and
///   [`poll_event`](Self::poll_event) until both return `None`; then wait for the next input, at
///   most until [`poll_timeout`](Self::poll_timeout).
///
/// What it answers by itself: pings, format errors, critical options that it does not know
/// (4.02), requests to a proxy (5.05), duplicates, blocks of a body but the last (2.31, 4.08,
/// 4.13), later blocks of a response, requests that shall be fresh and may be old (4.01), and, when a bound of [`Config`] is reached, all else (5.03).
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) transport: Transport,
    pub(crate) exchanges: Exchanges,
    /// Peers about which nothing is known any more; apart from the events, since there may be
    /// very many at once and an event is large.
    idle: VecDeque<PeerId>,
    /// The latest time that was passed in.
    pub(crate) now: Instant,
}

impl Endpoint {
    /// An endpoint without any state. `seed` must be unpredictable outside of tests: tokens and
    /// message IDs come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            transport: Transport::new(config, seed),
            exchanges: Exchanges::new(config, seed),
            idle: VecDeque::new(),
            now: Instant::ZERO,
        }
    }

    // --- input --------------------------------------------------------------------------------

    /// Runs the timers that are due; calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(expired) = self.transport.messaging.expire(self.now) {
            match expired {
                Expired::Undelivered(delivery_of, peer) => {
                    self.undelivered(delivery_of, FailReason::Timeout, GoneReason::Timeout);
                    self.settle(peer);
                }
                Expired::Quiet(peer) => self.settle(peer),
            }
        }
        self.exchanges.expire(self.now, &mut self.transport);
        self.settle_touched();
    }

    // --- output -------------------------------------------------------------------------------

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transport.poll_transmit()
    }

    /// When [`Endpoint::handle_timeout`] wants to be called, if nothing else happens before.
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

    /// Sends a request. It waits while NSTART others to the peer are under way; its body goes out
    /// in blocks if it is large. Exactly one [`Event::Response`] or [`Event::Failed`] follows,
    /// unless it is [cancelled](Self::cancel). Beginning an observation again replaces the one of
    /// the same target.
    ///
    /// # Errors
    /// When the code is no method, the request cannot be put into messages, or a bound is reached.
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

    /// Forgets a pending request, or an observation without telling the peer: its next
    /// notification is rejected, which ends it there. No event follows.
    pub fn cancel(&mut self, id: RequestId) {
        self.exchanges.cancel(self.now, &mut self.transport, id);
        self.settle_touched();
    }

    /// Ends an observation by the same request with Observe = 1 and the same token. The answer
    /// comes as that of the request whose name is returned.
    ///
    /// # Errors
    /// When `id` observes nothing, or a bound is reached.
    pub fn cancel_observation(&mut self, now: Instant, id: RequestId) -> Result<RequestId, Error> {
        self.now = self.now.max(now);
        let cancellation = self.exchanges.cancel_observation(self.now, &mut self.transport, id);
        self.settle_touched();
        cancellation
    }

    /// Answers a request: on the acknowledgement if that is not out yet, else as a message of its
    /// own. A large body is cut into blocks, which the peer fetches without the application.
    ///
    /// # Errors
    /// When the exchange waits for no answer, the code is none of a response, or the response
    /// cannot be put into messages; then the exchange still waits.
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

    /// Notifies an observer of a newer state. It takes the place of a notification that is still
    /// in flight. A response of class 4 or 5 ends the observation. At least one notification in
    /// 24 hours is confirmable, whatever `confirmable` says.
    ///
    /// # Errors
    /// When the peer does not observe, the code is none of a response, or the notification
    /// cannot be put into messages.
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

    /// Forgets an observer without telling it; no event follows.
    pub fn forget_observer(&mut self, observer: Observer) {
        self.exchanges.forget_observer(&mut self.transport, observer);
        self.settle_touched();
    }

    /// Gives a peer parameters of its own, say for a slow network or a device that sleeps, in the
    /// place of those of [`Config`]. They count from the next message on, and stay, also while the
    /// peer is idle, until they are [reset](Self::reset_parameters), the peer is
    /// [removed](Self::remove_peer) or its connection ends. Peers of a kind share theirs.
    ///
    /// # Errors
    /// When [`Config::max_peers`] peers have parameters of their own.
    pub fn set_parameters(&mut self, peer: PeerId, own: Arc<PeerParameters>) -> Result<(), Error> {
        let fits = self.transport.messaging.set_parameters(peer, own);
        fits.then_some(()).ok_or(Error::TooManyPeers(peer))
    }

    /// Gives a peer the parameters of [`Config`] again.
    pub fn reset_parameters(&mut self, peer: PeerId) {
        self.transport.messaging.reset_parameters(peer);
    }

    /// Lets requests to a peer wait, because the layer below cannot reach it yet: a handshake is
    /// under way. Their time does not run before [`resume`](Self::resume).
    pub fn suspend(&mut self, peer: PeerId) {
        self.exchanges.suspend(self.now, &mut self.transport, peer, true);
    }

    /// Requests to a peer need not wait any more.
    pub fn resume(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.exchanges.suspend(self.now, &mut self.transport, peer, false);
        self.settle_touched();
    }

    /// The layer below cannot reach a peer of datagrams any more, as its session has ended. What
    /// is pending fails with [`FailReason::Closed`], and observations end.
    pub fn lose(&mut self, now: Instant, peer: PeerId) {
        self.now = self.now.max(now);
        self.exchanges.end_observations(self.now, &mut self.transport, peer);
        self.exchanges.remove_peer(self.now, &mut self.transport, peer, FailReason::Closed);
        self.transport.remove_peer(peer);
        self.transport.messaging.reset_parameters(peer);
        self.settle(peer);
        self.settle_touched();
    }

    /// Forgets all about a peer. Its pending requests end with [`FailReason::Cancelled`].
    pub fn remove_peer(&mut self, peer: PeerId) {
        self.forget(peer);
        self.transport.messaging.reset_parameters(peer);
        self.settle(peer);
        self.settle_touched();
    }

    // --- getters ------------------------------------------------------------------------------

    /// Whether no state about a peer is left.
    #[must_use]
    pub fn is_idle(&self, peer: PeerId) -> bool {
        !self.transport.knows(peer) && !self.exchanges.knows(peer)
    }

    /// Whether a message with this id would be taken for a repetition of an earlier one of the
    /// peer (RFC 7252 section 4.5): it is answered as that was, and the application hears nothing.
    #[must_use]
    pub fn is_repetition(&self, now: Instant, peer: PeerId, message_id: u16) -> bool {
        self.transport.messaging.remembers(now, peer, message_id)
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

    /// Tells the layers below when nothing about a peer is left.
    pub(crate) fn settle(&mut self, peer: PeerId) {
        if let Some(reason) = self.finished(peer) {
            self.close(peer, reason);
        }
        if self.is_idle(peer) && self.idle.back() != Some(&peer) {
            self.idle.push_back(peer);
        }
    }

    pub(crate) fn settle_touched(&mut self) {
        while let Some(peer) = self.exchanges.poll_touched() {
            self.settle(peer);
        }
        self.transport.messaging.statistics.evicted += self.exchanges.take_evicted();
    }
}
