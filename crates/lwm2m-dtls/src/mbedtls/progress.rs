//! Steps of a connection: what the library has done becomes bytes, events and timers.

use super::{MbedTls, Session, reason};
use crate::alert::Alert;
use crate::error::Reason;
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::handshake::Role;
use crate::handshake::fragment::Reassembly;
use crate::handshake::server_peer::check_still_known;
use crate::handshake::transcript::Framing;
use crate::record::{ContentType, HEADER_LENGTH};
use crate::suite::CipherSuite;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_mbedtls::Failure;
use lwm2m_time::Instant;

/// The last thing that the library has sent of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    /// An alert that is not protected.
    Alert(Alert),
    Other,
}

impl Said {
    fn of(framing: Framing, bytes: &[u8]) -> Self {
        let header = match framing {
            Framing::Datagram => HEADER_LENGTH,
            Framing::Stream => 5,
        };
        let is_alert = bytes.first() == Some(&ContentType::ALERT.0);
        match bytes.get(header..).and_then(Alert::decode) {
            Some((alert, _)) if is_alert => Self::Alert(alert),
            _ => Self::Other,
        }
    }
}

impl MbedTls {
    /// Gives bytes, which may be none, to a connection.
    pub(super) fn advance(&mut self, now: Instant, id: SessionId, bytes: &[u8]) {
        let unix_time = self.unix_time(now);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.owner.set_unix_time(unix_time);
        let step = session.connection.step(now, bytes);
        let said = self.carry(id);
        self.note_answer(now, id, said);
        if let Some(suite) = step.connected {
            self.complete(id, CipherSuite(suite));
        }
        for data in step.data.into_iter().map(Bytes::from) {
            self.events.push_back(Event::Data { session: id, data });
        }
        if let Some(failure) = step.ended {
            self.on_failure(id, failure, said);
        }
        self.set_timer(id);
    }

    fn note_answer(&mut self, now: Instant, id: SessionId, said: Said) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|_| said != Said::Nothing) {
            session.answered_at = now;
        }
    }

    pub(super) fn set_timer(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let deadline = session.identity.is_none().then_some(session.deadline);
        let next = [session.connection.next_timeout(), deadline];
        match next.into_iter().flatten().min() {
            Some(next) => self.timers.set(id, next),
            None => drop(self.timers.cancel(id)),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.pop_expired(now) {
            let Some(session) = self.sessions.get(&id) else { continue };
            match session.identity.is_none() && now >= session.deadline {
                true => self.fail(id, session.lateness()),
                false => self.advance(now, id, &[]),
            }
        }
    }

    /// Takes what the library wants sent.
    pub(super) fn carry(&mut self, id: SessionId) -> Said {
        let mut said = Said::Nothing;
        let Some(session) = self.sessions.get_mut(&id) else { return said };
        while let Some(bytes) = session.connection.poll() {
            said = Said::of(session.framing, &bytes);
            let payload = Bytes::from(bytes);
            match session.framing {
                Framing::Datagram => {
                    self.transmits.push_back(Transmit { peer: session.peer, payload });
                }
                Framing::Stream => self.stream_bytes.push_back((id, payload)),
            }
        }
        said
    }

    /// The library has finished the handshake.
    fn complete(&mut self, id: SessionId, suite: CipherSuite) {
        let Some(session) = self.sessions.get(&id) else { return };
        let (peer, role, framing) = (session.peer, session.role, session.framing);
        let Some(known) = session.owner.peer() else { return self.fail(id, Reason::Internal) };
        // Credentials can change while a handshake is drawn out.
        if role == Role::Server
            && let Err(reason) = check_still_known(&known, &self.config)
        {
            return self.fail(id, reason);
        }
        self.end_handshake(id);
        if framing == Framing::Datagram
            && let Some(earlier) = self.session_by_address.insert(peer, id)
        {
            self.end(earlier, Cause::Replaced);
        }
        let identity = known.identity;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.identity = Some(identity.clone());
            session.hello = Vec::new();
            session.messages = Reassembly::new(0, 0);
        }
        let (session, resumed, resumption) = (id, false, None);
        let event = Event::Connected { session, peer, identity, role, suite, resumed, resumption };
        self.events.push_back(event);
    }

    /// The library has given the connection up, and told the peer or not.
    fn on_failure(&mut self, id: SessionId, failure: Failure, said: Said) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.identity.is_some() {
            let cause = reason::of_session(failure);
            match cause {
                Cause::ByPeer => session.connection.alert(false, Alert::CLOSE_NOTIFY.0),
                Cause::Broken(alert) if said == Said::Nothing => {
                    session.connection.alert(true, alert.0)
                }
                _ => {}
            }
            self.carry(id);
            return self.end(id, cause);
        }
        let reason = session.owner.refused();
        let reason = reason.unwrap_or_else(|| reason::of_handshake(failure, session.framing, said));
        match said {
            Said::Nothing => self.fail(id, reason),
            _ => self.abandon(id, reason),
        }
    }

    /// Ends a handshake and tells both sides.
    pub(super) fn fail(&mut self, id: SessionId, reason: Reason) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(alert) = reason.answer() {
            session.connection.alert(true, alert.0);
            self.carry(id);
        }
        self.abandon(id, reason);
    }

    /// Ends a handshake without a word to the peer.
    pub(super) fn abandon(&mut self, id: SessionId, reason: Reason) {
        self.end_handshake(id);
        let Some(session) = self.sessions.remove(&id) else { return };
        let (mode, role, peer) = (session.mode(), session.role, session.peer);
        self.events.push_back(Event::Failed { session: Some(id), peer, mode, role, reason });
    }

    /// A handshake is under way no longer.
    fn end_handshake(&mut self, id: SessionId) {
        self.timers.cancel(id);
        let Some(session) = self.sessions.get(&id) else { return };
        let peer = session.peer;
        if session.role == Role::Server {
            self.hosts.remove(peer.ip());
        }
        match session.framing {
            Framing::Stream => self.connecting_streams = self.connecting_streams.saturating_sub(1),
            Framing::Datagram => {
                self.connecting.remove(&id);
                if self.connecting_by_address.get(&peer) == Some(&id) {
                    self.connecting_by_address.remove(&peer);
                }
            }
        }
    }

    /// Takes an established session out.
    pub(super) fn end(&mut self, id: SessionId, cause: Cause) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.timers.cancel(id);
        let peer = session.peer;
        if self.session_by_address.get(&peer) == Some(&id) {
            self.session_by_address.remove(&peer);
        }
        self.events.push_back(Event::Closed { session: id, peer, cause });
    }

    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&id).map(Box::as_mut)
    }
}
