//! What an endpoint makes of a datagram.

use super::Native;
use super::session::{Cookie, PathChange, PathMessage};
use crate::alert::Alert;
use crate::channel::Opened;
use crate::cookie::CookieCheck;
use crate::error::Reason;
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::handshake::Role;
use crate::handshake::fragment::{self, Fragment};
use crate::handshake::message::MessageType;
use crate::record::header::{self, VERSION_1_0};
use crate::record::{ContentType, Record, VERSION};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use lwm2m_time::Instant;
use rand_chacha::rand_core::RngCore;

impl Native {
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let ids = self.config.connection_ids.as_ref();
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

    /// Breaks where the rest of the datagram does not matter: whoever has to show a cookie first
    /// gets one answer, however many hellos there are.
    fn on_plain(&mut self, now: Instant, from: SocketAddr, record: &Record<'_>) -> ControlFlow<()> {
        if !matches!(record.header.version, VERSION | VERSION_1_0) {
            return ControlFlow::Continue(());
        }
        let handshake = self.connecting_by_address.get(&from).copied();
        match record.header.content {
            ContentType::HANDSHAKE => {
                let mut rest = record.body;
                while let Some((fragment, after)) = fragment::parse(rest) {
                    rest = after;
                    self.on_plain_fragment(now, from, &fragment, record.header.sequence)?;
                }
            }
            ContentType::ALERT => {
                handshake.into_iter().for_each(|id| self.on_handshake_alert(id, record.body));
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
            if self.config.credentials.is_some() {
                return self.on_hello(now, from, fragment, record_sequence);
            }
        } else if let Some(&id) = self.connecting_by_address.get(&from) {
            self.drive(now, id, fragment, 0);
        }
        ControlFlow::Continue(())
    }

    /// A hello without a good cookie gets one and leaves nothing behind.
    fn on_hello(
        &mut self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) -> ControlFlow<()> {
        match self.cookies.vouch(now, from, hello, record_sequence) {
            CookieCheck::Never => ControlFlow::Continue(()),
            CookieCheck::Ask(request) => {
                let payload = Bytes::from(request);
                self.transmits.push_back(Transmit { peer: from, payload });
                ControlFlow::Break(())
            }
            CookieCheck::Yes => {
                self.on_vouched_hello(now, from, hello, record_sequence);
                ControlFlow::Continue(())
            }
        }
    }

    /// The cookie is good: a repetition, or the first word of a handshake.
    fn on_vouched_hello(
        &mut self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) {
        if let Some(&id) = self.connecting_by_address.get(&from)
            && let Some(connecting) = self.connecting.get(&id)
        {
            if connecting.hello == hello.body {
                return self.drive(now, id, hello, 0);
            }
            // Whoever has seen two hellos can repeat them in turn, and have a flight sent for each.
            let too_soon = connecting.is_replacement && connecting.has_just_sent(now);
            if connecting.role() == Role::Client || too_soon {
                return;
            }
            self.abandon(id, Reason::Cancelled);
            self.accept(now, from, hello, record_sequence);
            let replacement = self.connecting_by_address.get(&from);
            if let Some(next) = replacement.and_then(|id| self.connecting.get_mut(id)) {
                next.is_replacement = true;
            }
            return;
        }
        self.accept(now, from, hello, record_sequence);
    }

    fn on_protected(&mut self, now: Instant, from: SocketAddr, record: &Record<'_>) {
        if record.header.content == ContentType::TLS12_CID {
            let Some(&id) = self.by_cid.get(record.header.cid) else { return };
            return match self.sessions.contains_key(&id) {
                true => drop(self.on_session_record(now, from, id, record)),
                false => self.on_handshake_record(now, id, record),
            };
        }
        // An attacker may have begun a handshake at the address of a session, so that comes first.
        if let Some(&id) = self.session_by_address.get(&from)
            && self.on_session_record(now, from, id, record)
        {
            return;
        }
        if let Some(&id) = self.connecting_by_address.get(&from) {
            self.on_handshake_record(now, id, record);
        }
    }

    fn on_handshake_record(&mut self, now: Instant, id: SessionId, record: &Record<'_>) {
        let timing = self.timing(now);
        let Some(connecting) = self.connecting.get_mut(&id) else { return };
        let opened = connecting.open(record, timing);
        self.timers.set(id, connecting.next_timeout());
        let Some(opened) = opened else { return };
        match opened.content {
            ContentType::HANDSHAKE => {
                let mut rest = opened.plaintext.as_slice();
                while let Some((fragment, after)) = fragment::parse(rest) {
                    rest = after;
                    self.drive(now, id, &fragment, record.header.epoch);
                }
            }
            ContentType::ALERT => self.on_handshake_alert(id, &opened.plaintext),
            // Application data ahead of Finished is not trusted yet; it will be sent again.
            _ => {}
        }
    }

    /// A fatal alert ends a handshake, unless it is one that no server has a reason for.
    fn on_handshake_alert(&mut self, id: SessionId, body: &[u8]) {
        let role = self.connecting.get(&id).map(|connecting| connecting.role());
        match (Alert::decode(body), role) {
            (Some((alert, true)), Some(Role::Client)) if alert.is_not_for_clients() => {}
            (Some((alert, true)), _) => self.fail(id, Reason::PeerAlert(alert)),
            _ => {}
        }
    }

    /// Whether the record was of the session.
    fn on_session_record(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: SessionId,
        record: &Record<'_>,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let Some(opened) = session.channel.open(record) else { return false };
        let followed = match (opened.content, PathMessage::decode(&opened.plaintext)) {
            (ContentType::RETURN_ROUTABILITY_CHECK, Some(PathMessage::Response(cookie))) => {
                session.confirm(from, cookie)
            }
            _ if opened.newest => session.follow(now, from, record.length()),
            _ => PathChange::Stays,
        };
        match followed {
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
                // The peer has our last flight, or it would not talk.
                if self.lingering.remove(&id).is_some() {
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

    /// Asks the peer whether it is where its newest record came from: RFC 9853 section 5.1.
    fn challenge(&mut self, now: Instant, id: SessionId) {
        let mut cookie = Cookie::default();
        self.rng.fill_bytes(&mut cookie);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.challenge(now, cookie);
            self.send_path_message(id, None, &PathMessage::Challenge(cookie));
        }
    }

    /// Sends to the address, or where all goes.
    fn send_path_message(&mut self, id: SessionId, to: Option<SocketAddr>, message: &PathMessage) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !session.channel.return_routability_check {
            return;
        }
        let mut out = Vec::new();
        let content = ContentType::RETURN_ROUTABILITY_CHECK;
        if session.channel.seal(content, &message.encode(), &mut self.rng, &mut out).is_ok() {
            let peer = to.unwrap_or_else(|| session.downlink(out.len()));
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
        }
    }

    /// A repeated Finished asks for our last flight again; renegotiation is refused.
    fn on_late_handshake(&mut self, id: SessionId, body: &[u8]) {
        match fragment::parse(body).map(|(fragment, _)| fragment.kind) {
            Some(MessageType::FINISHED) => self.repeat_last_flight(id),
            Some(MessageType::CLIENT_HELLO | MessageType::HELLO_REQUEST) => {
                self.send_alert(id, Alert::NO_RENEGOTIATION);
            }
            _ => {}
        }
    }

    /// The session has a new address. Whoever has it already keeps it, so only a Connection ID
    /// tells the records of the two apart.
    fn on_moved(&mut self, id: SessionId, earlier: SocketAddr, peer: SocketAddr) {
        if self.session_by_address.get(&earlier) == Some(&id) {
            self.session_by_address.remove(&earlier);
        }
        self.session_by_address.entry(peer).or_insert(id);
        self.events.push_back(Event::Moved { session: id, peer });
    }
}
