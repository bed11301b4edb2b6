//! The native backend: sessions by address and Connection ID; calls as of [`crate::Endpoint`].

mod export;
mod handshakes;
pub(crate) mod hosts;
mod receive;
mod session;
mod streams;

use crate::Rng;
use crate::alert::Alert;
use crate::config::{ClientProfile, ClientSecurity, Config};
use crate::connecting::Connecting;
use crate::cookie::Cookies;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::flight::Flight;
use crate::handshake::Context;
use crate::handshake::transcript::Framing;
use crate::identity::Identity;
use crate::record::ContentType;
use crate::resumption::{Resumption, SessionCache};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashMap;
use hosts::Hosts;
use lwm2m_time::{Instant, TimerTable};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use session::{ClosedSessions, Session};
use streams::Streams;

/// DTLS 1.2 and TLS 1.2 with any number of peers.
pub(crate) struct Native {
    config: Config,
    rng: Rng,
    cookies: Cookies,
    cache: SessionCache,
    next_id: u64,
    sessions: HashMap<SessionId, Box<Session>>,
    /// The oldest first.
    connecting: BTreeMap<SessionId, Box<Connecting>>,
    /// The last flights of established sessions, kept for a peer that missed them.
    lingering: HashMap<SessionId, Flight>,
    session_by_address: HashMap<SocketAddr, SessionId>,
    connecting_by_address: HashMap<SocketAddr, SessionId>,
    /// The Connection IDs of sessions, and those kept for handshakes.
    by_cid: HashMap<Box<[u8]>, SessionId>,
    hosts: Hosts,
    spent: ClosedSessions,
    streams: Streams,
    stream_bytes: VecDeque<(SessionId, Bytes)>,
    timers: TimerTable<SessionId>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Native {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self {
            cache: SessionCache::new(config.session_cache),
            config,
            rng,
            cookies: Cookies::new(secret),
            next_id: 0,
            sessions: HashMap::new(),
            connecting: BTreeMap::new(),
            lingering: HashMap::new(),
            session_by_address: HashMap::new(),
            connecting_by_address: HashMap::new(),
            by_cid: HashMap::new(),
            hosts: Hosts::default(),
            spent: ClosedSessions::default(),
            streams: Streams::default(),
            stream_bytes: VecDeque::new(),
            timers: TimerTable::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(crate) fn connect(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Result<SessionId, Error> {
        self.begin(now, peer, profile, None)
    }

    pub(crate) fn resume(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Arc<Resumption>,
    ) -> Result<SessionId, Error> {
        self.begin(now, peer, profile, Some(resumption))
    }

    pub(crate) fn send(
        &mut self,
        now: Instant,
        session: SessionId,
        data: &[u8],
    ) -> Result<(), Error> {
        if let Some(sent) = self.send_on_stream(now, session, data) {
            return sent;
        }
        let Some(open) = self.sessions.get_mut(&session) else {
            return Err(match self.connecting.contains_key(&session) {
                true => Error::NotEstablished,
                false => Error::UnknownSession,
            });
        };
        let mut out = Vec::with_capacity(open.channel.overhead() + data.len());
        let sealed =
            open.channel.seal(ContentType::APPLICATION_DATA, data, &mut self.rng, &mut out);
        if let Err(error) = sealed {
            if error == Error::SequenceExhausted {
                self.remove(session, Cause::Exhausted);
            }
            return Err(error);
        }
        let peer = open.downlink(out.len());
        self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
        Ok(())
    }

    pub(crate) fn close(&mut self, session: SessionId) -> Result<(), Error> {
        if self.close_stream(session) {
            return Ok(());
        }
        if self.connecting.contains_key(&session) {
            self.fail(session, Reason::Cancelled);
            return Ok(());
        }
        if !self.sessions.contains_key(&session) {
            return Err(Error::UnknownSession);
        }
        self.send_alert(session, Alert::CLOSE_NOTIFY);
        self.remove(session, Cause::ByUs);
        Ok(())
    }

    pub(crate) fn identity(&self, session: SessionId) -> Option<&Identity> {
        let by_datagrams = self.sessions.get(&session).map(|open| &open.identity);
        by_datagrams.or_else(|| self.streams.get(session)?.identity())
    }

    pub(crate) fn peer(&self, session: SessionId) -> Option<SocketAddr> {
        let by_datagrams = self.sessions.get(&session).map(|open| open.peer);
        by_datagrams.or_else(|| self.streams.get(session).map(|stream| stream.peer))
    }

    pub(crate) fn max_data(&self, session: SessionId) -> Option<usize> {
        self.sessions.get(&session).map(|open| open.channel.max_plaintext.into())
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (SessionId, &Identity)> {
        let by_datagrams = self.sessions.iter().map(|(&id, open)| (id, &open.identity));
        by_datagrams.chain(self.streams.established())
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn handshake_count(&self) -> usize {
        self.connecting.len()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Certificates are held against this clock.
    fn unix_time(&self, now: Instant) -> Duration {
        self.config.unix_time_of_origin.saturating_add(now.saturating_since(Instant::ZERO))
    }

    fn context(&mut self, now: Instant, framing: Framing) -> Context<'_> {
        let unix_time = self.unix_time(now);
        let Self { config, rng, cache, .. } = self;
        Context { config, rng, cache, unix_time, framing }
    }

    fn next_id(&mut self) -> SessionId {
        self.next_id += 1;
        SessionId(self.next_id)
    }

    /// A Connection ID that no session has; none if the endpoint hands none out.
    fn new_cid(&mut self) -> Option<Vec<u8>> {
        let generator = self.config.connection_ids.as_ref()?;
        // A generator that repeats itself so often is exhausted.
        (0..64).find_map(|_| {
            let mut cid = alloc::vec![0; generator.length()];
            let mut random = [0; 8];
            self.rng.fill_bytes(&mut random);
            generator.generate(random, &mut cid);
            (!cid.is_empty() && !self.by_cid.contains_key(cid.as_slice())).then_some(cid)
        })
    }

    fn send_alert(&mut self, session: SessionId, alert: Alert) {
        let Some(open) = self.sessions.get_mut(&session) else { return };
        let mut out = Vec::new();
        let sealed =
            open.channel.seal(ContentType::ALERT, &alert.encode(), &mut self.rng, &mut out);
        if sealed.is_ok() {
            let peer = open.downlink(out.len());
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
        }
    }

    /// Takes an established session out after a fatal alert: it is never resumed again.
    fn end_for_good(&mut self, session: SessionId, cause: Cause) {
        if let Some(key) = self.remove(session, cause).and_then(|open| open.cached) {
            self.cache.forget(key);
        }
    }

    /// Takes an established session out.
    fn remove(&mut self, session: SessionId, cause: Cause) -> Option<Box<Session>> {
        let open = self.sessions.remove(&session)?;
        self.lingering.remove(&session);
        self.timers.cancel(session);
        self.by_cid.remove(&open.channel.read_cid);
        match cause {
            Cause::Exported => {}
            _ if open.is_copied => self.spent.insert(open.channel.fingerprint()),
            _ => {}
        }
        if self.session_by_address.get(&open.peer) == Some(&session) {
            self.session_by_address.remove(&open.peer);
        }
        self.events.push_back(Event::Closed { session, peer: open.peer, cause });
        Some(open)
    }
}

/// Whether a profile can make a handshake at all.
pub(crate) fn is_usable(profile: &ClientProfile) -> bool {
    let key_fits = match &profile.security {
        ClientSecurity::Psk { identity, key } => {
            identity.len() <= 128 && (1..=64).contains(&key.len())
        }
        ClientSecurity::Certificate { certified, .. } => !certified.chain.is_empty(),
        ClientSecurity::RawPublicKey { .. } => true,
    };
    let name_fits = profile.server_name.as_ref().is_none_or(|name| name.len() <= 255);
    key_fits && name_fits && profile.offered().iter().any(|suite| suite.parts().is_some())
}
