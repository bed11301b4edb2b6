//! The endpoint that applications have, and the backend behind it.

use super::Backend;
use crate::alert::Alert;
use crate::config::{ClientProfile, Config, TicketKey};
use crate::endpoint::Native;
use crate::error::Error;
use crate::event::{Event, SessionId, Transmit};
use crate::identity::Identity;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::resumption::Resumption;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_time::Instant;

/// DTLS 1.2 and TLS 1.2 with any number of peers.
///
/// Calls in: [`connect`](Self::connect), [`send`](Self::send), [`close`](Self::close),
/// [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout). After
/// each, drain [`poll_transmit`](Self::poll_transmit), [`poll_stream`](Self::poll_stream) and
/// [`poll_event`](Self::poll_event), then ask [`poll_timeout`](Self::poll_timeout) when to come
/// back.
pub struct Endpoint(Inner);

enum Inner {
    Native(Box<Native>),
    #[cfg(feature = "mbedtls")]
    MbedTls(Box<MbedTls>),
}

/// Calls the method of the backend.
macro_rules! backend {
    ($self:expr, $method:ident($($argument:expr),*)) => {
        match $self {
            Inner::Native(backend) => backend.$method($($argument),*),
            #[cfg(feature = "mbedtls")]
            Inner::MbedTls(backend) => backend.$method($($argument),*),
        }
    };
}

impl Endpoint {
    /// An endpoint without sessions. All its randomness stems from the seed, which must be
    /// unpredictable and never be used twice.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self(match config.backend {
            Backend::Native => Inner::Native(Box::new(Native::new(config, seed))),
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => Inner::MbedTls(Box::new(MbedTls::new(config, seed))),
        })
    }

    /// Begins a handshake as client; [`Event::Connected`] or [`Event::Failed`] follows. A
    /// handshake with the same address that is under way is given up.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::UnusableProfile`], [`Error::Unsupported`].
    pub fn connect(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Result<SessionId, Error> {
        backend!(&mut self.0, connect(now, peer, profile))
    }

    /// Like [`connect`](Self::connect), but offers to go on with an earlier session; the server
    /// may insist on a full handshake.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect).
    pub fn resume(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Arc<Resumption>,
    ) -> Result<SessionId, Error> {
        backend!(&mut self.0, resume(now, peer, profile, resumption))
    }

    /// Takes a datagram in. Nothing in it can do harm: what is not understood or not authentic is
    /// dropped in silence (RFC 6347 section 4.1.2.7).
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        backend!(&mut self.0, handle_datagram(now, from, datagram));
    }

    /// Takes a connection from a client; [`Event::Connected`] or [`Event::Failed`] follows. What
    /// it brings goes to [`handle_stream`](Self::handle_stream), what it must carry comes from
    /// [`poll_stream`](Self::poll_stream).
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::Unsupported`].
    pub fn accept_stream(&mut self, now: Instant, peer: SocketAddr) -> Result<SessionId, Error> {
        backend!(&mut self.0, accept_stream(now, peer))
    }

    /// Begins a handshake as client on a connection, with an earlier session to go on with if
    /// there is one. Bytes may be polled before the connection is established.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::UnusableProfile`], [`Error::Unsupported`].
    pub fn connect_stream(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        backend!(&mut self.0, connect_stream(now, peer, profile, resumption))
    }

    /// Takes the next bytes of a connection in, cut anywhere. After [`Event::Closed`] or
    /// [`Event::Failed`] the session is unknown and its bytes are ignored.
    pub fn handle_stream(&mut self, now: Instant, session: SessionId, bytes: &[u8]) {
        backend!(&mut self.0, handle_stream(now, session, bytes));
    }

    /// The connection below has ended.
    pub fn handle_stream_end(&mut self, now: Instant, session: SessionId) {
        backend!(&mut self.0, handle_stream_end(now, session));
    }

    /// The next bytes for a connection. When its session is gone, what was polled before is to be
    /// sent still, then the connection closed.
    pub fn poll_stream(&mut self) -> Option<(SessionId, Bytes)> {
        backend!(&mut self.0, poll_stream())
    }

    /// Sends application data: on datagrams in one record, on a stream in as many as it takes.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::NotEstablished`], [`Error::TooLarge`],
    /// [`Error::SequenceExhausted`].
    pub fn send(&mut self, now: Instant, session: SessionId, data: &[u8]) -> Result<(), Error> {
        backend!(&mut self.0, send(now, session, data))
    }

    /// Ends a session with close_notify, or gives a handshake up.
    ///
    /// # Errors
    /// [`Error::UnknownSession`].
    pub fn close(&mut self, session: SessionId) -> Result<(), Error> {
        backend!(&mut self.0, close(session))
    }

    /// Tells the peer that a fatal error has ended the session, and ends it for good: a server
    /// forgets what it would resume it by, but for tickets, which the client has.
    ///
    /// # Errors
    /// [`Error::UnknownSession`].
    pub fn abort(&mut self, session: SessionId, alert: Alert) -> Result<(), Error> {
        backend!(&mut self.0, abort(session, alert))
    }

    /// Who the peer of an established session is.
    pub fn identity(&self, session: SessionId) -> Option<&Identity> {
        backend!(&self.0, identity(session))
    }

    /// The address of the peer of an established session, as far as it is known to receive there.
    pub fn peer(&self, session: SessionId) -> Option<SocketAddr> {
        backend!(&self.0, peer(session))
    }

    /// How many bytes [`send`](Self::send) takes at most in an established session on datagrams:
    /// what fits a record, by max_fragment_length (RFC 6066) and record_size_limit (RFC 8449).
    pub fn max_data(&self, session: SessionId) -> Option<usize> {
        backend!(&self.0, max_data(session))
    }

    /// The established sessions and who their peers are, in no particular order.
    pub fn sessions(&self) -> Box<dyn Iterator<Item = (SessionId, &Identity)> + '_> {
        match &self.0 {
            Inner::Native(backend) => Box::new(backend.sessions()),
            #[cfg(feature = "mbedtls")]
            Inner::MbedTls(backend) => Box::new(backend.sessions()),
        }
    }

    /// Ends the sessions with the peers that `is_gone` tells: those whose credentials were
    /// changed or withdrawn. How many they were.
    pub fn close_where(&mut self, mut is_gone: impl FnMut(&Identity) -> bool) -> usize {
        let gone = self.sessions().filter(|(_, identity)| is_gone(identity)).map(|(id, _)| id);
        let mut gone: Vec<_> = gone.collect();
        gone.sort_unstable();
        gone.iter().filter(|&&session| self.close(session).is_ok()).count()
    }

    /// How many sessions are established.
    pub fn session_count(&self) -> usize {
        backend!(&self.0, session_count())
    }

    /// How many handshakes are under way.
    pub fn handshake_count(&self) -> usize {
        backend!(&self.0, handshake_count())
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        backend!(&mut self.0, poll_transmit())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        backend!(&mut self.0, poll_event())
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        backend!(&self.0, poll_timeout())
    }

    /// Resends what is due, gives up what took too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        backend!(&mut self.0, handle_timeout(now));
    }

    /// Takes a session out, sealed with the key, to go on without a gap here or elsewhere. Import
    /// it once and delete it then: a session that goes on twice uses record numbers twice, which
    /// breaks its encryption.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::Unsupported`].
    pub fn export(&mut self, session: SessionId, key: &TicketKey) -> Result<Vec<u8>, Error> {
        backend!(&mut self.0, export(session, key))
    }

    /// A sealed copy of a session that goes on. Meant for a crash: import the newest copy only.
    /// Record numbers skip so far ahead that none is used twice as long as fewer than 2^20
    /// records were sent since; older records than the copy's are accepted no more.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::Unsupported`].
    pub fn snapshot(&mut self, session: SessionId, key: &TicketKey) -> Result<Vec<u8>, Error> {
        backend!(&mut self.0, snapshot(session, key))
    }

    /// Goes on with an exported session. A copy of a session that is open, or that was open lately
    /// and was closed, is refused; no endpoint knows of what others have imported.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::ImportRefused`], [`Error::AlreadyOpen`],
    /// [`Error::Unsupported`].
    pub fn import(&mut self, sealed: &[u8], key: &TicketKey) -> Result<SessionId, Error> {
        backend!(&mut self.0, import(sealed, key))
    }
}
