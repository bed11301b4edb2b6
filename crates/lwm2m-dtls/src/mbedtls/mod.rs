//! The Mbed TLS backend: pre-shared keys and certificates, on datagrams and streams.
//!
//! The library does the handshakes and records of one connection each (`lwm2m_mbedtls`). Which
//! connection a datagram is for, cookies, limits, timers, trust in certificates and events are
//! here, and as of the native backend: the rules of the two are one.

mod datagrams;
mod filter;
mod owner;
mod progress;
mod reason;
mod streams;

use crate::Rng;
use crate::alert::Alert;
use crate::config::{ClientProfile, ClientSecurity, Config, Mode, TicketKey};
use crate::connecting::{MAX_INTERVAL, MAX_REASSEMBLY};
use crate::cookie::Cookies;
use crate::endpoint::hosts::Hosts;
use crate::endpoint::is_usable;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::handshake::Role;
use crate::handshake::fragment::Reassembly;
use crate::handshake::transcript::Framing;
use crate::identity::Identity;
use crate::suite::CipherSuite;
use crate::unsupported::Unsupported;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashMap;
use lwm2m_mbedtls::{Connection, Settings, Transport};
use lwm2m_time::{Instant, TimerTable};
use owner::{Certificates, Owner};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::sync::Mutex;

/// Sessions by Mbed TLS with any number of peers.
pub(crate) struct MbedTls {
    config: Config,
    /// What is configured and the library lacks: then there are no sessions.
    lacking: Option<Unsupported>,
    rng: Arc<Mutex<Rng>>,
    certificates: Arc<Certificates>,
    cookies: Cookies,
    next_id: u64,
    sessions: HashMap<SessionId, Box<Session>>,
    /// Handshakes on datagrams, the oldest first.
    connecting: BTreeSet<SessionId>,
    /// How many handshakes on streams there are.
    connecting_streams: usize,
    session_by_address: HashMap<SocketAddr, SessionId>,
    connecting_by_address: HashMap<SocketAddr, SessionId>,
    hosts: Hosts,
    timers: TimerTable<SessionId>,
    transmits: VecDeque<Transmit>,
    stream_bytes: VecDeque<(SessionId, Bytes)>,
    events: VecDeque<Event>,
}

/// A connection from its first byte on.
struct Session {
    peer: SocketAddr,
    role: Role,
    framing: Framing,
    connection: Connection,
    owner: Arc<Owner>,
    /// Who the peer is, once established.
    identity: Option<Identity>,
    /// When a handshake has taken too long.
    deadline: Instant,
    /// The hello that a server answers: a repetition is no new handshake.
    hello: Vec<u8>,
    /// When we last said something.
    answered_at: Instant,
    /// The peer's messages that are not protected.
    messages: Reassembly,
    /// Another handshake with the same address gave way to it.
    is_replacement: bool,
    /// The number that the library is told of the next record that is not protected.
    next_plain: u64,
    /// A protected record of the handshake did not authenticate.
    saw_bad_record: bool,
}

/// The first thing that is configured and that the library lacks.
pub(crate) fn check(config: &Config) -> Result<(), Unsupported> {
    let credentials = config.credentials.as_deref();
    let own = credentials.and_then(|known| known.certificate(None));
    // The key of a server may be that of its certificate as well.
    let raw_only = own.is_none() && credentials.is_some_and(|it| it.raw_key().is_some());
    let lacking = [
        (config.connection_ids.is_some(), Unsupported::ConnectionIds),
        (config.key_log.is_some(), Unsupported::KeyLog),
        (config.ticket_key.is_some(), Unsupported::Tickets),
        (raw_only, Unsupported::RawPublicKeys),
        (own.is_some_and(|own| own.key.private_key().is_none()), Unsupported::HiddenKey),
    ];
    lacking.into_iter().find(|(lacks, _)| *lacks).map_or(Ok(()), |(_, what)| Err(what))
}

impl MbedTls {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self {
            lacking: check(&config).err(),
            config,
            rng: Arc::new(Mutex::new(rng)),
            certificates: Arc::default(),
            cookies: Cookies::new(secret),
            next_id: 0,
            sessions: HashMap::new(),
            connecting: BTreeSet::new(),
            connecting_streams: 0,
            session_by_address: HashMap::new(),
            connecting_by_address: HashMap::new(),
            hosts: Hosts::default(),
            timers: TimerTable::new(),
            transmits: VecDeque::new(),
            stream_bytes: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(crate) fn send(&mut self, _: Instant, id: SessionId, data: &[u8]) -> Result<(), Error> {
        let session = self.sessions.get_mut(&id).ok_or(Error::UnknownSession)?;
        if session.identity.is_none() {
            return Err(Error::NotEstablished);
        }
        let limit = session.connection.max_data();
        if session.framing == Framing::Datagram && data.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let sent = session.connection.send(data);
        self.carry(id);
        sent.map_err(|_| {
            // The library refuses to go on only when the numbers of its records are used.
            self.end(id, Cause::Exhausted);
            Error::SequenceExhausted
        })
    }

    pub(crate) fn close(&mut self, id: SessionId) -> Result<(), Error> {
        let session = self.sessions.get_mut(&id).ok_or(Error::UnknownSession)?;
        if session.identity.is_none() {
            self.fail(id, Reason::Cancelled);
            return Ok(());
        }
        session.connection.alert(false, Alert::CLOSE_NOTIFY.0);
        self.carry(id);
        self.end(id, Cause::ByUs);
        Ok(())
    }

    pub(crate) fn abort(&mut self, id: SessionId, alert: Alert) -> Result<(), Error> {
        let session = self.sessions.get_mut(&id).filter(|it| it.identity.is_some());
        let session = session.ok_or(Error::UnknownSession)?;
        session.connection.alert(true, alert.0);
        self.carry(id);
        self.end(id, Cause::ByUs);
        Ok(())
    }

    pub(crate) fn identity(&self, id: SessionId) -> Option<&Identity> {
        self.sessions.get(&id)?.identity.as_ref()
    }

    pub(crate) fn peer(&self, id: SessionId) -> Option<SocketAddr> {
        let session = self.sessions.get(&id)?;
        let known = session.identity.is_some() || session.framing == Framing::Stream;
        known.then_some(session.peer)
    }

    pub(crate) fn max_data(&self, id: SessionId) -> Option<usize> {
        let session = self.sessions.get(&id).filter(|it| it.framing == Framing::Datagram)?;
        session.identity.as_ref().map(|_| session.connection.max_data())
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (SessionId, &Identity)> {
        self.sessions.iter().filter_map(|(&id, it)| it.identity.as_ref().map(|who| (id, who)))
    }

    pub(crate) fn session_count(&self) -> usize {
        self.session_by_address.len()
    }

    pub(crate) fn handshake_count(&self) -> usize {
        self.connecting.len()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_stream(&mut self) -> Option<(SessionId, Bytes)> {
        self.stream_bytes.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn export(&mut self, _: SessionId, _: &TicketKey) -> Result<Vec<u8>, Error> {
        Err(Unsupported::Export.into())
    }

    pub(crate) fn snapshot(&mut self, _: SessionId, _: &TicketKey) -> Result<Vec<u8>, Error> {
        Err(Unsupported::Export.into())
    }

    pub(crate) fn import(&mut self, _: &[u8], _: &TicketKey) -> Result<SessionId, Error> {
        Err(Unsupported::Export.into())
    }

    /// Certificates are held against this clock.
    fn unix_time(&self, now: Instant) -> Duration {
        self.config.unix_time_of_origin.saturating_add(now.saturating_since(Instant::ZERO))
    }

    fn settings(&self, role: Role, framing: Framing, profile: Option<&ClientProfile>) -> Settings {
        let has_suite = |suite: &&CipherSuite| self.config.backend.has_suite(**suite);
        let suites = profile.map_or_else(|| self.config.suites.clone(), ClientProfile::offered);
        let spoken = self.config.application_protocol.as_deref();
        let spoken = spoken.and_then(|name| core::str::from_utf8(name).ok());
        let name = profile.and_then(|profile| profile.server_name.clone());
        Settings {
            role: match role {
                Role::Client => lwm2m_mbedtls::Role::Client,
                Role::Server => lwm2m_mbedtls::Role::Server,
            },
            transport: match framing {
                Framing::Datagram => Transport::Datagram,
                Framing::Stream => Transport::Stream,
            },
            suites: suites.iter().filter(has_suite).map(|suite| suite.0).collect(),
            mtu: u16::try_from(self.config.mtu).unwrap_or(u16::MAX),
            retransmit_after: self.config.retransmit_after,
            retransmit_limit: MAX_INTERVAL.max(self.config.retransmit_after),
            application_protocol: spoken.filter(|_| framing == Framing::Stream).map(Into::into),
            max_fragment_length: profile.and_then(|profile| profile.max_fragment_length),
            // RFC 6066 section 3: names of hosts, no addresses.
            server_name: name.filter(|name| name.parse::<core::net::IpAddr>().is_err()),
        }
    }

    /// The client's side of a connection.
    fn client(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        framing: Framing,
        profile: Arc<ClientProfile>,
    ) -> Result<Session, Error> {
        self.lacking.map_or(Ok(()), Err)?;
        if !is_usable(&profile) {
            return Err(Error::UnusableProfile);
        }
        self.config.check_profile(&profile)?;
        let settings = self.settings(Role::Client, framing, Some(&profile));
        if settings.suites.is_empty() {
            return Err(Error::UnusableProfile);
        }
        let owner = Arc::new(self.owner(now, Some(Arc::clone(&profile))));
        let asked = Arc::clone(&owner) as Arc<dyn lwm2m_mbedtls::Owner>;
        let connection = match &profile.security {
            ClientSecurity::Psk { identity, key } => {
                Connection::with_psk(now, &settings, identity, key, asked)
            }
            ClientSecurity::Certificate { certified, .. } => {
                let own = self.certificates.get(certified)?;
                Connection::with_certificate(now, &settings, &own, asked)
            }
            ClientSecurity::RawPublicKey { .. } => return Err(Unsupported::RawPublicKeys.into()),
        };
        let connection = connection.map_err(|_| Error::UnusableProfile)?;
        Ok(self.session(now, peer, Role::Client, framing, connection, owner))
    }

    /// The server's side of a connection.
    fn server(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        framing: Framing,
    ) -> Result<Session, Error> {
        self.lacking.map_or(Ok(()), Err)?;
        let settings = self.settings(Role::Server, framing, None);
        let owner = Arc::new(self.owner(now, None));
        let asked = Arc::clone(&owner) as Arc<dyn lwm2m_mbedtls::Owner>;
        let credentials = self.config.credentials.as_deref();
        let own = credentials.and_then(|known| known.certificate(None));
        let own = own.map(|own| self.certificates.get(&own)).transpose()?;
        let trusted = credentials.map_or(&[][..], |known| known.client_authorities());
        let trusted: Vec<&[u8]> = trusted.iter().map(AsRef::as_ref).collect();
        let by_keys = credentials.is_some_and(|known| known.uses_psk());
        let own = own.as_deref();
        let connection = Connection::accept(now, &settings, own, &trusted, by_keys, asked)
            .map_err(|_| Error::UnusableProfile)?;
        Ok(self.session(now, peer, Role::Server, framing, connection, owner))
    }

    fn owner(&self, now: Instant, profile: Option<Arc<ClientProfile>>) -> Owner {
        let certificates = Arc::clone(&self.certificates);
        let rng = Arc::clone(&self.rng);
        Owner::new(self.config.clone(), profile, rng, certificates, self.unix_time(now))
    }

    fn session(
        &self,
        now: Instant,
        peer: SocketAddr,
        role: Role,
        framing: Framing,
        connection: Connection,
        owner: Arc<Owner>,
    ) -> Session {
        Session {
            peer,
            role,
            framing,
            connection,
            owner,
            identity: None,
            deadline: now + self.config.handshake_timeout,
            hello: Vec::new(),
            answered_at: now,
            messages: Reassembly::new(0, MAX_REASSEMBLY),
            is_replacement: false,
            next_plain: 0,
            saw_bad_record: false,
        }
    }

    fn add(&mut self, session: Session) -> SessionId {
        self.next_id += 1;
        let id = SessionId(self.next_id);
        if session.role == Role::Server {
            self.hosts.add(session.peer.ip());
        }
        match session.framing {
            Framing::Datagram => {
                self.connecting.insert(id);
                self.connecting_by_address.insert(session.peer, id);
            }
            Framing::Stream => self.connecting_streams += 1,
        }
        self.sessions.insert(id, Box::new(session));
        id
    }
}

impl Session {
    /// Why a handshake has taken too long.
    fn lateness(&self) -> Reason {
        let awaits_proof = self.role == Role::Client
            && self.mode() == Some(Mode::Psk)
            && self.connection.awaits_finished();
        match self.saw_bad_record || awaits_proof {
            true => Reason::WrongKey,
            false => Reason::Timeout,
        }
    }

    /// The mode, as far as it is known.
    fn mode(&self) -> Option<Mode> {
        self.owner.mode()
    }
}
