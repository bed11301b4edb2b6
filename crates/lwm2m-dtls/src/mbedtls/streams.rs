//! TLS on streams.

use super::MbedTls;
use crate::config::ClientProfile;
use crate::error::{Error, Reason};
use crate::event::{Cause, SessionId};
use crate::handshake::transcript::Framing;
use crate::resumption::Resumption;
use alloc::sync::Arc;
use core::net::SocketAddr;
use lwm2m_time::Instant;

impl MbedTls {
    pub(crate) fn accept_stream(
        &mut self,
        now: Instant,
        peer: SocketAddr,
    ) -> Result<SessionId, Error> {
        let has_place = self.hosts.count(peer.ip()) < self.config.max_handshakes_per_host;
        if !has_place || self.check_room_for_stream().is_err() {
            self.turn_away(peer);
            return Err(Error::TooManySessions);
        }
        let session = self.server(now, peer, Framing::Stream)?;
        let id = self.add(session);
        self.advance(now, id, &[]);
        Ok(id)
    }

    /// The library's sessions are not resumed, so this is a full handshake.
    pub(crate) fn connect_stream(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        _: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        let session = self.client(now, peer, Framing::Stream, profile)?;
        self.check_room_for_stream()?;
        let id = self.add(session);
        self.advance(now, id, &[]);
        Ok(id)
    }

    pub(crate) fn handle_stream(&mut self, now: Instant, session: SessionId, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.advance(now, session, bytes);
        }
    }

    pub(crate) fn handle_stream_end(&mut self, _: Instant, id: SessionId) {
        match self.sessions.get(&id).map(|session| session.identity.is_some()) {
            Some(true) => self.end(id, Cause::Truncated),
            Some(false) => self.abandon(id, Reason::Disconnected),
            None => {}
        }
    }

    fn check_room_for_stream(&self) -> Result<(), Error> {
        // Of their own: handshakes on datagrams are cheaper to begin, and would take all the room.
        let room = self.connecting_streams < self.config.max_handshakes
            && self.sessions.len() < self.config.max_sessions;
        room.then_some(()).ok_or(Error::TooManySessions)
    }
}
