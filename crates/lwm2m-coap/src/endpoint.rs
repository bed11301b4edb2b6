//! The endpoint: the message layer and the exchange layer put together.

use crate::config::Config;
use crate::error::Error;
use crate::event::{Event, Transmit};
use crate::peer::{ExchangeId, Observer, PeerId, RequestId};
use crate::request::Request;
use crate::response::Response;
use crate::statistics::Statistics;
use lwm2m_time::Instant;

/// A CoAP endpoint that speaks with any number of peers, as client and as server.
#[derive(Debug)]
pub struct Endpoint {
    statistics: Statistics,
}

impl Endpoint {
    /// An endpoint without any state.
    #[must_use]
    pub fn new(_config: Config, _seed: [u8; 32]) -> Self {
        Self { statistics: Statistics::default() }
    }

    /// Takes a datagram in.
    pub fn handle_datagram(&mut self, _now: Instant, _peer: PeerId, _datagram: &[u8]) {
        self.statistics.received += 1;
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    /// When [`Endpoint::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When a bound is reached.
    pub fn request(
        &mut self,
        _now: Instant,
        peer: PeerId,
        _request: Request,
    ) -> Result<RequestId, Error> {
        Err(Error::TooManyPeers(peer))
    }

    /// Forgets a request or an observation.
    pub fn cancel(&mut self, _id: RequestId) {}

    /// Ends an observation.
    ///
    /// # Errors
    /// When there is none.
    pub fn cancel_observation(&mut self, _now: Instant, id: RequestId) -> Result<RequestId, Error> {
        Err(Error::UnknownRequest(id))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When it waits for no answer.
    pub fn respond(
        &mut self,
        _now: Instant,
        exchange: ExchangeId,
        _response: Response,
    ) -> Result<(), Error> {
        Err(Error::UnknownExchange(exchange))
    }

    /// Notifies an observer.
    ///
    /// # Errors
    /// When it does not observe.
    pub fn notify(
        &mut self,
        _now: Instant,
        observer: Observer,
        _response: Response,
        _confirmable: bool,
    ) -> Result<(), Error> {
        Err(Error::UnknownObserver(observer))
    }

    /// Forgets an observer.
    pub fn forget_observer(&mut self, _observer: Observer) {}

    /// Drops all state about a peer.
    pub fn remove_peer(&mut self, _peer: PeerId) {}

    /// Whether no state about a peer is left.
    #[must_use]
    pub fn is_idle(&self, _peer: PeerId) -> bool {
        true
    }

    /// The counters.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
