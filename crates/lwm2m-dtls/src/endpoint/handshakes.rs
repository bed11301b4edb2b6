//! Handshakes on datagrams: start, drive, finish and fail.

use super::Endpoint;
use super::session::Session;
use crate::config::ClientProfile;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::handshake::context::Context;
use crate::handshake::fragment::Fragment;
use crate::handshake::framing::Framing;
use crate::handshake::output::Completed;
use crate::handshaking::{Handshaking, Progress};
use crate::identity::Identity;
use crate::mode::Role;
use crate::record::header::{ContentType, write_plain};
use crate::resumption::Resumption;
use crate::table::shrink;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use lwm2m_time::Instant;

/// Twice the maximum segment lifetime: the last flight is repeated on demand for at least this time
/// (RFC 6347 section 4.2.4).
const LINGER: Duration = Duration::from_secs(240);

impl Endpoint {
    pub(super) fn begin(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        self.check_supported()?;
        profile.check()?;
        self.config().check_datagram_profile(&profile)?;
        if let Some(&earlier) = self.handshake_by_address.get(&peer) {
            self.abandon(earlier, Reason::Cancelled);
        }
        if self.handshakes.len() >= self.config().max_handshakes {
            return Err(Error::TooManySessions);
        }
        let cid = match profile.connection_id {
            true => Some(self.new_cid().unwrap_or_default()),
            false => None,
        };
        let mut context = self.shared.context(now, Framing::Datagram);
        let handshake = Handshaking::client(peer, profile, resumption, cid, &mut context)?;
        Ok(self.add_handshake(now, handshake, None))
    }

    /// Starts a handshake as server. The cookie of the hello is valid.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) {
        if self.sessions.len() >= self.config().max_sessions || !self.make_room(peer.ip()) {
            return self.turn_away(peer, Reason::NoRoom);
        }
        let cid = self.new_cid();
        let mut context = self.shared.context(now, Framing::Datagram);
        match Handshaking::server(peer, hello, record_sequence, cid, &mut context) {
            Ok(handshake) => _ = self.add_handshake(now, handshake, Some(hello)),
            Err(reason) => {
                if let Some(alert) = reason.answer() {
                    let mut out = Vec::new();
                    write_plain(&mut out, ContentType::ALERT, record_sequence, &alert.encode());
                    self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
                }
                self.turn_away(peer, reason);
            }
        }
    }

    /// Makes room for one more handshake with a client of a host. Evicts the oldest of the host, or of
    /// all, when full; honest clients finish quickly, so floods evict themselves.
    fn make_room(&mut self, host: IpAddr) -> bool {
        if self.hosts.count(host) >= self.config().max_handshakes_per_host {
            let Some(oldest) = self.hosts.oldest(host) else { return false };
            self.abandon(oldest, Reason::Evicted);
        }
        if self.handshakes.len() < self.config().max_handshakes {
            return true;
        }
        let mut accepted = self.handshakes.iter().filter(|(_, it)| it.role == Role::Server);
        let Some((&oldest, _)) = accepted.next() else { return false };
        self.abandon(oldest, Reason::Evicted);
        true
    }

    /// Reports a handshake that was not started.
    pub(super) fn turn_away(&mut self, peer: SocketAddr, reason: Reason) {
        let (session, mode, role) = (None, None, Role::Server);
        self.events.push_back(Event::Failed { session, peer, mode, role, reason });
    }

    /// Adds a handshake and sends its first flight; `hello` is what a server answers.
    fn add_handshake(
        &mut self,
        now: Instant,
        handshake: Handshaking,
        hello: Option<&Fragment<'_>>,
    ) -> SessionId {
        let id = self.next_id();
        self.handshake_by_address.insert(handshake.peer, id);
        if handshake.role == Role::Server {
            self.hosts.add(handshake.peer.ip(), id);
        }
        if !handshake.cid.is_empty() {
            self.by_cid.insert(handshake.cid.clone(), id);
        }
        self.handshakes.insert(id, Box::new(handshake));
        self.drive(now, id, |handshake, context| handshake.begin(hello, context));
        id
    }

    fn remove_handshake(&mut self, id: SessionId) -> Option<Box<Handshaking>> {
        let handshake = self.handshakes.remove(&id)?;
        self.timers.cancel(id);
        if self.handshake_by_address.get(&handshake.peer) == Some(&id) {
            self.handshake_by_address.remove(&handshake.peer);
        }
        if handshake.role == Role::Server {
            self.hosts.remove(handshake.peer.ip(), id);
        }
        Some(handshake)
    }

    /// Gives an input to a handshake and does what follows from it.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        id: SessionId,
        step: impl FnOnce(&mut Handshaking, &mut Context<'_>) -> Result<Progress, Reason>,
    ) {
        let Self { shared, handshakes, .. } = self;
        let Some(handshake) = handshakes.get_mut(&id) else { return };
        let mut context = shared.context(now, Framing::Datagram);
        let datagrams = match step(handshake, &mut context) {
            Ok(Progress::Wait) => Vec::new(),
            Ok(Progress::Send) => handshake.datagrams(&mut context),
            Ok(Progress::Completed(completed)) => return self.complete(now, id, *completed),
            Err(reason) => return self.fail(now, id, reason),
        };
        let peer = handshake.peer;
        self.timers.set(id, handshake.next_timeout());
        self.transmit(peer, datagrams);
    }

    fn complete(&mut self, now: Instant, id: SessionId, completed: Completed) {
        let Some(handshake) = self.remove_handshake(id) else { return };
        let (peer, role, cid) = (handshake.peer, handshake.role, handshake.cid.clone());
        let mut context = self.shared.context(now, Framing::Datagram);
        let Some(finished) = handshake.finish(&completed, &mut context) else { return };
        if finished.records.read_cid().is_empty() {
            self.by_cid.remove(&cid);
        }
        self.replace_at(peer, id, &completed.identity);
        self.transmit(peer, finished.datagrams);
        if let Some(flight) = finished.lingering {
            self.lingering.insert(id, flight);
            self.timers.set(id, now + LINGER.max(self.config().handshake_timeout));
        }
        let session = Session::new(peer, role, finished.records, &completed);
        self.sessions.insert(id, Box::new(session));
        self.events.push_back(Event::connected(id, peer, role, completed));
    }

    /// Makes the session that of the address. The earlier one ends, unless it is another peer's
    /// and has a Connection ID.
    fn replace_at(&mut self, peer: SocketAddr, id: SessionId, identity: &Identity) {
        let Some(earlier) = self.session_by_address.insert(peer, id).filter(|&old| old != id)
        else {
            return;
        };
        let stays = self.sessions.get(&earlier).is_some_and(|session| {
            !session.records.read_cid().is_empty() && session.identity != *identity
        });
        if !stays {
            self.remove(earlier, Cause::Replaced);
        }
    }

    /// Ends a handshake and tells both sides.
    pub(super) fn fail(&mut self, now: Instant, id: SessionId, reason: Reason) {
        let Self { shared, handshakes, .. } = self;
        let Some(handshake) = handshakes.get_mut(&id) else { return };
        let mut context = shared.context(now, Framing::Datagram);
        let datagrams = handshake.refusal(reason.answer(), &mut context);
        let peer = handshake.peer;
        self.transmit(peer, datagrams);
        self.abandon(id, reason);
    }

    /// Ends a handshake without an alert, which would hit the next handshake with the same address.
    pub(super) fn abandon(&mut self, id: SessionId, reason: Reason) {
        let Some(handshake) = self.remove_handshake(id) else { return };
        self.by_cid.remove(&handshake.cid);
        let (peer, mode, role) = (handshake.peer, handshake.mode(), handshake.role);
        self.events.push_back(Event::Failed { session: Some(id), peer, mode, role, reason });
    }

    /// Resends the flight of a handshake, and tells when a client does so for the first time, or gives
    /// the handshake up.
    fn resend(&mut self, now: Instant, id: SessionId) {
        let before = self.handshakes.get(&id).map(|handshake| handshake.sent);
        self.drive(now, id, |handshake, context| handshake.handle_timeout(context));
        let Some(handshake) = self.handshakes.get(&id) else { return };
        let is_first = (before, handshake.sent) == (Some(1), 2);
        if handshake.role == Role::Client && is_first {
            self.events.push_back(Event::Unanswered { session: id, peer: handshake.peer });
        }
    }

    /// Resends flights that are due and gives up handshakes that took too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.pop_expired(now) {
            if self.handshakes.contains_key(&id) {
                self.resend(now, id);
            } else if !self.give_up_hello(id) && !self.give_up_stream(now, id) {
                self.lingering.remove(&id);
                #[cfg(feature = "mbedtls")]
                self.advance_session(now, id, &[]);
            }
        }
        shrink(&mut self.lingering);
    }
}
