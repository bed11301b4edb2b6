//! Which connection a datagram is for, and whether a hello begins one.

use super::MbedTls;
use super::filter::protected_records;
use crate::config::ClientProfile;
use crate::connecting::MAX_REASSEMBLY;
use crate::cookie::CookieCheck;
use crate::error::{Error, Reason};
use crate::event::{Event, SessionId, Transmit};
use crate::handshake::Role;
use crate::handshake::fragment::{self, Fragment, Reassembly};
use crate::handshake::message::MessageType;
use crate::handshake::transcript::Framing;
use crate::record::{ContentType, header};
use crate::resumption::Resumption;
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_mbedtls::Verdict;
use lwm2m_time::Instant;

/// A datagram whose first record is a hello.
struct Hello<'a> {
    from: SocketAddr,
    fragment: Fragment<'a>,
    record_sequence: u64,
    datagram: &'a [u8],
}

impl MbedTls {
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
    ) -> Result<SessionId, Error> {
        let session = self.client(now, peer, Framing::Datagram, profile)?;
        if let Some(&earlier) = self.connecting_by_address.get(&peer) {
            self.abandon(earlier, Reason::Cancelled);
        }
        if self.connecting.len() >= self.config.max_handshakes {
            return Err(Error::TooManySessions);
        }
        let id = self.add(session);
        self.advance(now, id, &[]);
        Ok(id)
    }

    /// The library's sessions are not resumed, so this is a full handshake.
    pub(crate) fn resume(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        _: Arc<Resumption>,
    ) -> Result<SessionId, Error> {
        self.connect(now, peer, profile)
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Some((first, _)) = header::parse(datagram, 0) else { return };
        if first.header.epoch > 0 {
            return self.on_protected(now, from, datagram);
        }
        if first.header.content == ContentType::HANDSHAKE
            && let Some((fragment, _)) = fragment::parse(first.body)
            && fragment.kind == MessageType::CLIENT_HELLO
        {
            let record_sequence = first.header.sequence;
            return self.on_hello(now, &Hello { from, fragment, record_sequence, datagram });
        }
        match self.connecting_by_address.get(&from) {
            Some(&id) => self.on_handshake(now, id, datagram),
            // The peer may repeat its last flight, which ends with a record that is protected.
            None => self.on_protected(now, from, datagram),
        }
    }

    fn on_protected(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let established = self.session_by_address.get(&from).copied();
        let connecting = self.connecting_by_address.get(&from).copied();
        // An attacker may have begun a handshake at the address of a session.
        let recognized = |id: &SessionId| {
            connecting.is_none()
                || self
                    .sessions
                    .get(id)
                    .is_some_and(|it| it.connection.judge(datagram) == Verdict::Authentic)
        };
        match (established.filter(recognized), connecting) {
            (Some(id), _) => self.advance(now, id, &protected_records(datagram)),
            (None, Some(id)) => self.on_handshake(now, id, datagram),
            (None, None) => {}
        }
    }

    /// A hello without a good cookie gets one and leaves nothing behind.
    fn on_hello(&mut self, now: Instant, hello: &Hello<'_>) {
        let Hello { from, fragment, record_sequence, .. } = hello;
        if self.config.credentials.is_none() || self.lacking.is_some() {
            return;
        }
        match self.cookies.vouch(now, *from, fragment, *record_sequence) {
            CookieCheck::Never => {}
            CookieCheck::Ask(request) => {
                let payload = Bytes::from(request);
                self.transmits.push_back(Transmit { peer: *from, payload });
            }
            CookieCheck::Yes => self.on_vouched_hello(now, hello),
        }
    }

    /// The cookie is good: a repetition, or the first word of a handshake.
    fn on_vouched_hello(&mut self, now: Instant, hello: &Hello<'_>) {
        let earlier = self.connecting_by_address.get(&hello.from).copied();
        let pause = self.config.retransmit_after / 2;
        let session = earlier.and_then(|id| self.session_mut(id));
        let Some((id, session)) = earlier.zip(session) else {
            return self.accept(now, hello, false);
        };
        let has_just_answered = now.saturating_since(session.answered_at) < pause;
        if session.hello == hello.fragment.body {
            return self.on_handshake(now, id, hello.datagram);
        }
        // Whoever has seen two hellos can repeat them in turn, and have a flight sent for each.
        if session.role == Role::Client || session.is_replacement && has_just_answered {
            return;
        }
        self.abandon(id, Reason::Cancelled);
        self.accept(now, hello, true);
    }

    fn accept(&mut self, now: Instant, hello: &Hello<'_>, is_replacement: bool) {
        let from = hello.from;
        if self.session_by_address.len() >= self.config.max_sessions
            || self.hosts.count(from.ip()) >= self.config.max_handshakes_per_host
            || !self.make_room()
        {
            return self.turn_away(from);
        }
        // What cannot be made of the configuration was refused by its check.
        let Ok(mut session) = self.server(now, from, Framing::Datagram) else { return };
        session.hello = hello.fragment.body.to_vec();
        session.is_replacement = is_replacement;
        // The answer has the number of the hello: RFC 6347 section 4.2.1.
        session.next_plain = hello.record_sequence;
        session.messages = Reassembly::new(hello.fragment.sequence, MAX_REASSEMBLY);
        let id = self.add(session);
        self.on_handshake(now, id, hello.datagram);
    }

    /// Tells of a handshake that is not begun; the client may try again.
    pub(super) fn turn_away(&mut self, peer: SocketAddr) {
        let (mode, role, reason) = (None, Role::Server, Reason::NoRoom);
        self.events.push_back(Event::Failed { session: None, peer, mode, role, reason });
    }

    /// Whether there is room for one more handshake. The oldest gives way: whoever means it is done
    /// soon, and whoever wants to keep others out is not.
    fn make_room(&mut self) -> bool {
        if self.connecting.len() < self.config.max_handshakes {
            return true;
        }
        let is_accepted = |id: &&SessionId| {
            self.sessions.get(*id).is_some_and(|session| session.role == Role::Server)
        };
        let Some(&oldest) = self.connecting.iter().find(is_accepted) else { return false };
        self.abandon(oldest, Reason::Evicted);
        true
    }
}
