//! The endpoint: sessions by address and Connection ID, limits, timers and events, for any backend.

mod durable;
mod export;
mod handshakes;
mod hellos;
mod hosts;
mod kept;
#[cfg(feature = "mbedtls")]
mod library;
mod receive;
mod sealed;
mod session;
mod streams;

use crate::alert::Alert;
use crate::config::{ClientProfile, Config};
use crate::cookie::Cookies;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::flight::Flight;
use crate::handshake::context::Shared;
use crate::handshaking::Handshaking;
use crate::identity::Identity;
use crate::record::header::ContentType;
use crate::resumption::Resumption;
use crate::stream::Stream;
use crate::table::shrink;
use crate::unsupported::Unsupported;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};
pub use durable::Restored;
use hashbrown::HashMap;
use hellos::Hellos;
use hosts::Hosts;
use lwm2m_time::{Admission, Instant, TimerTable};
use rand_chacha::rand_core::RngCore;
use session::{ClosedSessions, Session};

/// DTLS and TLS with any number of peers, as client and server at once.
///
/// Calls that change it: [`connect`](Self::connect), [`send`](Self::send),
/// [`close`](Self::close), [`handle_datagram`](Self::handle_datagram),
/// [`handle_stream`](Self::handle_stream), [`handle_timeout`](Self::handle_timeout). After each,
/// drain [`poll_transmit`](Self::poll_transmit), [`poll_stream`](Self::poll_stream) and
/// [`poll_event`](Self::poll_event), then ask [`poll_timeout`](Self::poll_timeout) when to come
/// back.
pub struct Endpoint {
    shared: Shared,
    /// What is configured but not supported; then every session is refused.
    unsupported: Option<Unsupported>,
    cookies: Cookies,
    admission: Admission,
    /// Handshakes that were not begun because too many came in a second.
    deferred: u64,
    next_id: u64,
    /// Established sessions on datagrams.
    sessions: HashMap<SessionId, Box<Session>>,
    /// Handshakes on datagrams, the oldest first.
    handshakes: BTreeMap<SessionId, Box<Handshaking>>,
    /// The last flights of established sessions, in case the peer has missed them.
    lingering: HashMap<SessionId, Flight>,
    session_by_address: HashMap<SocketAddr, SessionId>,
    handshake_by_address: HashMap<SocketAddr, SessionId>,
    /// The Connection IDs of sessions, and those reserved by handshakes.
    by_cid: HashMap<Box<[u8]>, SessionId>,
    hosts: Hosts,
    hellos: Hellos,
    /// Handshakes on streams by host.
    stream_hosts: Hosts,
    closed: ClosedSessions,
    streams: HashMap<SessionId, Box<Stream>>,
    /// How many streams are not established.
    stream_handshakes: usize,
    timers: TimerTable<SessionId>,
    transmits: VecDeque<Transmit>,
    stream_bytes: VecDeque<(SessionId, Bytes)>,
    events: VecDeque<Event>,
}

impl Endpoint {
    /// Creates an endpoint without sessions. All its randomness comes from the seed, which must be
    /// unpredictable and used only once.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let unsupported = config.check().err();
        let per_second = config.max_handshakes_per_second;
        let mut shared = Shared::new(config, seed);
        let cookies = Cookies::new(shared.random());
        let mut key = [0; 8];
        shared.rng.fill_bytes(&mut key);
        Self {
            cookies,
            admission: Admission::new(per_second, u64::from_be_bytes(key)),
            deferred: 0,
            shared,
            unsupported,
            next_id: 0,
            sessions: HashMap::new(),
            handshakes: BTreeMap::new(),
            lingering: HashMap::new(),
            session_by_address: HashMap::new(),
            handshake_by_address: HashMap::new(),
            by_cid: HashMap::new(),
            hosts: Hosts::default(),
            hellos: Hellos::default(),
            stream_hosts: Hosts::default(),
            closed: ClosedSessions::default(),
            streams: HashMap::new(),
            stream_handshakes: 0,
            timers: TimerTable::new(),
            transmits: VecDeque::new(),
            stream_bytes: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Starts a handshake as client; [`Event::Connected`] or [`Event::Failed`] follows. Gives up an
    /// earlier handshake with the same address.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::UnusableProfile`], [`Error::Unsupported`].
    pub fn connect(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Result<SessionId, Error> {
        self.begin(now, peer, profile, None)
    }

    /// Like [`connect`](Self::connect), but offers to resume an earlier session (RFC 5246 section
    /// 7.3, RFC 5077). The server may insist on a full handshake.
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
        self.begin(now, peer, profile, Some(resumption))
    }

    /// Sends application data: on datagrams in one record, on a stream in as many as it takes.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::NotEstablished`], [`Error::TooLarge`],
    /// [`Error::SequenceExhausted`], [`Error::CountersNotWritten`]. The last two end the session.
    pub fn send(&mut self, now: Instant, session: SessionId, data: &[u8]) -> Result<(), Error> {
        let Some(open) = self.sessions.get_mut(&session) else {
            return self.send_on_stream(session, data);
        };
        match open.records.seal(ContentType::APPLICATION_DATA, data, &mut self.shared.rng) {
            Ok(datagram) => {
                let peer = open.downlink(datagram.len());
                self.transmits.push_back(Transmit { peer, payload: Bytes::from(datagram) });
            }
            Err(Error::CountersNotWritten) if open.waits(now, data) => {}
            Err(error) => {
                self.end_without_numbers(session, error);
                return Err(error);
            }
        }
        if open.asks() {
            self.events.push_back(Event::CountersDue { session });
        }
        Ok(())
    }

    /// Ends a session that has no record numbers left, with the last one.
    fn end_without_numbers(&mut self, session: SessionId, error: Error) {
        let cause = match error {
            Error::SequenceExhausted => Cause::Exhausted,
            Error::CountersNotWritten => Cause::CountersNotWritten,
            _ => return,
        };
        self.send_alert(session, Alert::CLOSE_NOTIFY);
        self.remove(session, cause);
    }

    /// Closes a session with close_notify, or gives up a handshake.
    ///
    /// # Errors
    /// [`Error::UnknownSession`].
    pub fn close(&mut self, session: SessionId) -> Result<(), Error> {
        if self.sessions.contains_key(&session) {
            self.send_alert(session, Alert::CLOSE_NOTIFY);
            self.remove(session, Cause::ByUs);
            return Ok(());
        }
        if self.handshakes.contains_key(&session) {
            self.fail(Instant::ZERO, session, Reason::Cancelled);
            return Ok(());
        }
        let is_stream = self.close_stream(session, Alert::CLOSE_NOTIFY);
        is_stream.then_some(()).ok_or(Error::UnknownSession)
    }

    /// Ends a session with a fatal alert. A server deletes its cache entry, so that the session
    /// cannot be resumed by id; a ticket that the client holds stays valid.
    ///
    /// # Errors
    /// [`Error::UnknownSession`].
    pub fn abort(&mut self, session: SessionId, alert: Alert) -> Result<(), Error> {
        if self.sessions.contains_key(&session) {
            self.send_alert(session, alert);
            self.end_for_good(session, Cause::ByUs);
            return Ok(());
        }
        let stream = self.streams.get(&session).filter(|stream| stream.identity().is_some());
        let cached = stream.ok_or(Error::UnknownSession)?.cached;
        self.close_stream(session, alert);
        cached.into_iter().for_each(|key| self.shared.cache.forget(key));
        Ok(())
    }

    /// The identity of the peer of an established session.
    pub fn identity(&self, session: SessionId) -> Option<&Identity> {
        let by_datagrams = self.sessions.get(&session).map(|open| &open.identity);
        by_datagrams.or_else(|| self.streams.get(&session)?.identity())
    }

    /// The address of the peer of an established session, as far as the peer has shown that it
    /// receives there.
    pub fn peer(&self, session: SessionId) -> Option<SocketAddr> {
        let by_datagrams = self.sessions.get(&session).map(|open| open.peer);
        by_datagrams.or_else(|| self.streams.get(&session).map(|stream| stream.peer))
    }

    /// The address that the next record of a session on datagrams goes to: that of the newest record
    /// of the peer, as far as it has not to be confirmed first, else as [`peer`](Self::peer).
    pub fn path(&self, session: SessionId) -> Option<SocketAddr> {
        self.sessions.get(&session).map(|open| open.path())
    }

    /// The most bytes that [`send`](Self::send) accepts in an established session on datagrams: what
    /// fits a record, by max_fragment_length (RFC 6066) and record_size_limit (RFC 8449).
    pub fn max_data(&self, session: SessionId) -> Option<usize> {
        self.sessions.get(&session).map(|open| open.records.max_data())
    }

    /// The established sessions and the identities of their peers, in no particular order.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Identity)> {
        let by_datagrams = self.sessions.iter().map(|(&id, open)| (id, &open.identity));
        let by_streams = self.streams.iter();
        let by_streams = by_streams.filter_map(|(&id, stream)| Some((id, stream.identity()?)));
        by_datagrams.chain(by_streams)
    }

    /// Closes the sessions with the peers that `is_gone` selects, because their credentials were
    /// changed or removed. Returns the number of closed sessions.
    pub fn close_where(&mut self, mut is_gone: impl FnMut(&Identity) -> bool) -> usize {
        let gone = self.sessions().filter(|(_, identity)| is_gone(identity)).map(|(id, _)| id);
        let mut gone: Vec<_> = gone.collect();
        gone.sort_unstable();
        gone.iter().filter(|&&session| self.close(session).is_ok()).count()
    }

    /// The number of established sessions on datagrams.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// The number of handshakes under way on datagrams.
    pub fn handshake_count(&self) -> usize {
        self.handshakes.len()
    }

    /// How many ClientHellos were dropped, and connections refused, because of
    /// [`Config::max_handshakes_per_second`].
    pub const fn deferred(&self) -> u64 {
        self.deferred
    }

    /// Whether a client of a host may begin a handshake now.
    fn admits(&mut self, now: Instant, host: IpAddr) -> bool {
        let admits = self.admission.admits(now, host);
        self.deferred += u64::from(!admits);
        admits
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next bytes for a connection. When its session has ended, send what was polled before,
    /// then close the connection.
    pub fn poll_stream(&mut self) -> Option<(SessionId, Bytes)> {
        self.stream_bytes.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    const fn config(&self) -> &Config {
        &self.shared.config
    }

    fn check_supported(&self) -> Result<(), Error> {
        self.unsupported.map_or(Ok(()), |lacking| Err(lacking.into()))
    }

    fn next_id(&mut self) -> SessionId {
        self.next_id += 1;
        SessionId(self.next_id)
    }

    /// Generates a Connection ID that no session has; `None` without a generator.
    fn new_cid(&mut self) -> Option<Vec<u8>> {
        let generator = self.shared.config.connection_ids.as_ref()?;
        // A generator that repeats itself 64 times is exhausted.
        (0..64).find_map(|_| {
            let mut cid = alloc::vec![0; generator.length()];
            let mut random = [0; 8];
            self.shared.rng.fill_bytes(&mut random);
            generator.generate(random, &mut cid);
            (!cid.is_empty() && !self.by_cid.contains_key(cid.as_slice())).then_some(cid)
        })
    }

    fn transmit(&mut self, peer: SocketAddr, datagrams: Vec<Vec<u8>>) {
        let to_transmit = |datagram| Transmit { peer, payload: Bytes::from(datagram) };
        self.transmits.extend(datagrams.into_iter().map(to_transmit));
    }

    fn send_alert(&mut self, session: SessionId, alert: Alert) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let sealed = open.records.seal(ContentType::ALERT, &alert.encode(), &mut self.shared.rng);
        if let Some(datagram) = sealed.ok().filter(|datagram| !datagram.is_empty()) {
            let peer = open.downlink(datagram.len());
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(datagram) });
        }
    }

    /// Removes an established session after a fatal alert and deletes its cache entry.
    fn end_for_good(&mut self, session: SessionId, cause: Cause) {
        if let Some(key) = self.remove(session, cause).and_then(|open| open.cached) {
            self.shared.cache.forget(key);
        }
    }

    /// Removes an established session.
    fn remove(&mut self, session: SessionId, cause: Cause) -> Option<Box<Session>> {
        let open = self.sessions.remove(&session)?;
        self.lingering.remove(&session);
        self.timers.cancel(session);
        self.by_cid.remove(open.records.read_cid());
        let kept = open.kept.as_ref().map(|kept| kept.fingerprint);
        if (open.is_copied || kept.is_some())
            && cause != Cause::Exported
            && let Some(channel) = open.records.channel()
        {
            self.closed.insert(channel.fingerprint());
        }
        if self.session_by_address.get(&open.peer) == Some(&session) {
            self.session_by_address.remove(&open.peer);
        }
        let (peer, identity) = (open.peer, open.identity.clone());
        self.events.push_back(Event::Closed { session, peer, identity, cause, kept });
        self.shrink();
        Some(open)
    }

    /// Gives memory back, if that of most sessions has gone.
    fn shrink(&mut self) {
        shrink(&mut self.sessions);
        shrink(&mut self.session_by_address);
        shrink(&mut self.by_cid);
        shrink(&mut self.streams);
        shrink(&mut self.lingering);
    }
}
