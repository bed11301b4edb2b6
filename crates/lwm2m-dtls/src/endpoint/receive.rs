//! From datagrams to handshakes and sessions.

use super::Endpoint;
use super::session::{Cookie, PathChange, PathMessage};
use crate::alert::Alert;
use crate::channel::Opened;
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::handshake::fragment::{self, Fragment};
use crate::handshake::framing::MessageType;
use crate::record::header::{self, ContentType, Record, VERSION, VERSION_1_0};
#[cfg(feature = "mbedtls")]
use crate::records::Records;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use lwm2m_time::Instant;

impl Endpoint {
    /// Handles a received datagram. Records that are malformed or not authentic are dropped without
    /// an answer: RFC 6347 section 4.1.2.7.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let ids = self.config().connection_ids.as_ref();
        let cid_length = ids.map_or(0, |ids| ids.length());
        let mut rest = datagram;
        while let Some((record, after)) = header::parse(rest, cid_length) {
            rest = after;
            if record.header.epoch > 0 {
                self.on_protected(now, from, &record);
            } else if self.on_plain(now, from, &record).is_break() {
                return;
            }
        }
    }

    /// The handshake or session that a datagram from or to an address belongs to, as far as the address
    /// tells: nothing about the datagram is checked. It is meant for records of what was sent.
    #[must_use]
    pub fn session_of_datagram(&self, peer: SocketAddr, datagram: &[u8]) -> Option<SessionId> {
        // Type, version, epoch.
        let is_plain = datagram.get(3..5).is_none_or(|epoch| epoch == [0, 0]);
        let handshake = self.handshake_by_address.get(&peer);
        let session = self.session_by_address.get(&peer);
        let found = if is_plain { handshake.or(session) } else { session.or(handshake) };
        found.copied()
    }

    /// Handles an unprotected record. Breaks to skip the rest of the datagram: a datagram of hellos
    /// without cookies gets one answer.
    fn on_plain(&mut self, now: Instant, from: SocketAddr, record: &Record<'_>) -> ControlFlow<()> {
        if !matches!(record.header.version, VERSION | VERSION_1_0) {
            return ControlFlow::Continue(());
        }
        let handshake = self.handshake_by_address.get(&from).copied();
        match (record.header.content, handshake) {
            (ContentType::HANDSHAKE, _) => {
                let mut rest = record.body;
                while let Some((fragment, after)) = fragment::parse(rest) {
                    rest = after;
                    self.on_plain_fragment(now, from, &fragment, record.header.sequence)?;
                }
            }
            (ContentType::ALERT, Some(id)) => {
                self.drive(now, id, |handshake, _| handshake.handle_alert(record.body));
            }
            (ContentType::CHANGE_CIPHER_SPEC, Some(id)) => {
                self.drive(now, id, |handshake, context| {
                    handshake.handle_change_cipher_spec(record.body, context)
                });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn on_plain_fragment(
        &mut self,
        now: Instant,
        from: SocketAddr,
        fragment: &Fragment<'_>,
        record_sequence: u64,
    ) -> ControlFlow<()> {
        if fragment.kind == MessageType::CLIENT_HELLO {
            if self.config().credentials.is_some() && self.unsupported.is_none() {
                return self.on_hello(now, from, fragment, record_sequence);
            }
        } else if let Some(&id) = self.handshake_by_address.get(&from) {
            self.on_fragment(now, id, fragment);
        }
        ControlFlow::Continue(())
    }

    pub(super) fn on_fragment(&mut self, now: Instant, id: SessionId, fragment: &Fragment<'_>) {
        self.drive(now, id, |handshake, context| handshake.handle_fragment(fragment, 0, context));
    }

    fn on_protected(&mut self, now: Instant, from: SocketAddr, record: &Record<'_>) {
        if record.header.content == ContentType::TLS12_CID {
            let Some(&id) = self.by_cid.get(record.header.cid) else { return };
            if !self.on_session_record(now, from, id, record) && !self.sessions.contains_key(&id) {
                self.on_handshake_record(now, id, record);
            }
            return;
        }
        // The session comes first: an attacker may have started a handshake at its address.
        if let Some(&id) = self.session_by_address.get(&from)
            && self.on_session_record(now, from, id, record)
        {
            return;
        }
        if let Some(&id) = self.handshake_by_address.get(&from) {
            self.on_handshake_record(now, id, record);
        }
    }

    fn on_handshake_record(&mut self, now: Instant, id: SessionId, record: &Record<'_>) {
        self.drive(now, id, |handshake, context| handshake.handle_protected(record, context));
    }

    /// Handles a protected record as one of the session. Returns whether it is.
    fn on_session_record(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: SessionId,
        record: &Record<'_>,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        #[cfg(feature = "mbedtls")]
        if let Records::MbedTls(library) = &session.records {
            // A check opens the record a second time, so only if a handshake could be meant.
            let is_ambiguous = self.handshake_by_address.contains_key(&from);
            if is_ambiguous && library.check(record) != Some(true) {
                return false;
            }
            self.advance_session(now, id, record.raw);
            return true;
        }
        let opened = session.records.channel_mut().and_then(|channel| channel.open(record));
        let Some(opened) = opened else { return false };
        if session.asks() {
            self.events.push_back(Event::CountersDue { session: id });
        }
        let change = match (opened.content, PathMessage::decode(&opened.plaintext)) {
            (ContentType::RETURN_ROUTABILITY_CHECK, Some(PathMessage::Response(cookie))) => {
                session.confirm(from, cookie)
            }
            _ if opened.newest => session.follow(now, from, record.raw.len()),
            _ => PathChange::Stays,
        };
        match change {
            PathChange::Stays => {}
            PathChange::MayHaveMoved => self.challenge(now, id),
            PathChange::Moved { earlier } => self.on_moved(id, earlier, from),
        }
        self.on_opened(from, id, opened);
        true
    }

    fn on_opened(&mut self, from: SocketAddr, id: SessionId, opened: Opened) {
        match opened.content {
            ContentType::APPLICATION_DATA => {
                // The peer has our last flight: it would not send data otherwise.
                if !self.lingering.is_empty() && self.lingering.remove(&id).is_some() {
                    self.timers.cancel(id);
                }
                let data = Bytes::from(opened.plaintext);
                self.events.push_back(Event::Data { session: id, data });
            }
            ContentType::ALERT => match Alert::decode(&opened.plaintext) {
                Some((Alert::CLOSE_NOTIFY, _)) => {
                    self.send_alert(id, Alert::CLOSE_NOTIFY);
                    self.remove(id, Cause::ByPeer);
                }
                Some((alert, true)) => self.end_for_good(id, Cause::Alert(alert)),
                _ => {}
            },
            ContentType::HANDSHAKE => self.on_late_handshake(id, &opened.plaintext),
            ContentType::RETURN_ROUTABILITY_CHECK => {
                if let Some(PathMessage::Challenge(cookie)) = PathMessage::decode(&opened.plaintext)
                {
                    self.send_path_message(id, Some(from), &PathMessage::Response(cookie));
                }
            }
            _ => {}
        }
    }

    /// Asks the peer to confirm the address of its newest record: RFC 9853 section 5.1.
    fn challenge(&mut self, now: Instant, id: SessionId) {
        let cookie: Cookie = self.shared.random();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.challenge(now, cookie);
            self.send_path_message(id, None, &PathMessage::Challenge(cookie));
        }
    }

    /// Sends to the address, or without one to the peer.
    fn send_path_message(&mut self, id: SessionId, to: Option<SocketAddr>, message: &PathMessage) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.records.checks_paths() {
            return;
        }
        let content = ContentType::RETURN_ROUTABILITY_CHECK;
        let sealed = session.records.seal(content, &message.encode(), &mut self.shared.rng);
        if let Ok(datagram) = sealed {
            let peer = to.unwrap_or_else(|| session.downlink(datagram.len()));
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(datagram) });
        }
    }

    /// Handles a handshake message in an established session: a repeated Finished asks for our last
    /// flight, and renegotiation is refused.
    fn on_late_handshake(&mut self, id: SessionId, body: &[u8]) {
        match fragment::parse(body).map(|(fragment, _)| fragment.kind) {
            Some(MessageType::FINISHED) => self.repeat_last_flight(id),
            Some(MessageType::CLIENT_HELLO | MessageType::HELLO_REQUEST) => {
                self.send_alert(id, Alert::NO_RENEGOTIATION);
            }
            _ => {}
        }
    }

    fn repeat_last_flight(&mut self, id: SessionId) {
        let Self { lingering, sessions, shared, transmits, .. } = self;
        let (Some(flight), Some(open)) = (lingering.get_mut(&id), sessions.get_mut(&id)) else {
            return;
        };
        let channel = open.records.channel_mut();
        let datagrams = flight.datagrams(shared.config.mtu, channel, &mut shared.rng);
        let to_transmit = |datagram: Vec<u8>| Transmit {
            peer: open.downlink(datagram.len()),
            payload: Bytes::from(datagram),
        };
        transmits.extend(datagrams.into_iter().map(to_transmit));
    }

    /// Moves the session to a new address. If another session owns this address, it keeps it; ours
    /// is then found by its Connection ID only.
    fn on_moved(&mut self, id: SessionId, earlier: SocketAddr, peer: SocketAddr) {
        if self.session_by_address.get(&earlier) == Some(&id) {
            self.session_by_address.remove(&earlier);
        }
        self.session_by_address.entry(peer).or_insert(id);
        self.events.push_back(Event::Moved { session: id, peer });
    }
}
