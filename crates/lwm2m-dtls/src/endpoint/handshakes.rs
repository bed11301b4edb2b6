//! Handshakes of an endpoint: begin, drive, finish, fail.

use super::{Native, Session, is_usable};
use crate::channel::Channel;
use crate::config::ClientProfile;
use crate::connecting::{Connecting, Machine, Progress, Timing};
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId, Transmit};
use crate::flight::Flight;
use crate::handshake::client::ClientHandshake;
use crate::handshake::fragment::{Fragment, Message};
use crate::handshake::server::ServerHandshake;
use crate::handshake::transcript::Framing;
use crate::handshake::{Completed, Context, Output, Role};
use crate::record::{ContentType, write_plain};
use crate::resumption::Resumption;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_time::Instant;

/// Twice the maximum segment lifetime: so long at least the last flight is repeated on demand.
const LINGER: Duration = Duration::from_secs(240);

impl Native {
    pub(super) fn begin(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        if !is_usable(&profile) {
            return Err(Error::UnusableProfile);
        }
        if let Some(&earlier) = self.connecting_by_address.get(&peer) {
            self.abandon(earlier, Reason::Cancelled);
        }
        if self.connecting.len() >= self.config.max_handshakes {
            return Err(Error::TooManySessions);
        }
        let own_cid = match profile.connection_id {
            true => self.new_cid().unwrap_or_default(),
            false => Vec::new(),
        };
        let cid = profile.connection_id.then(|| own_cid.clone());
        let mode = profile.security.mode();
        let mut output = Output::default();
        let machine = ClientHandshake::start(
            profile,
            resumption,
            cid,
            &mut self.context(now, Framing::Datagram),
            &mut output,
        );
        let machine = Machine::Client(Box::new(machine));
        let timing = self.timing(now);
        let mut connecting =
            Connecting::new(peer, (machine, mode), 0, Flight::starting_at(0), output, timing);
        connecting.cid = own_cid.into();
        Ok(self.add_handshake(connecting))
    }

    /// Begins a handshake as server. The cookie of the hello is good.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) {
        if self.sessions.len() >= self.config.max_sessions
            || self.hosts.count(peer.ip()) >= self.config.max_handshakes_per_host
            || !self.make_room()
        {
            return self.turn_away(peer);
        }
        let cid = self.new_cid();
        let own_cid = cid.clone().unwrap_or_default();
        let mut output = Output::default();
        let message = Message::whole(hello, 0);
        let started = ServerHandshake::start(
            &message,
            cid,
            &mut self.context(now, Framing::Datagram),
            &mut output,
        );
        let machine = match started {
            Ok(machine) => machine,
            Err(reason) => return self.refuse(peer, reason, record_sequence),
        };
        let mode = machine.mode();
        let machine = Machine::Server(Box::new(machine));
        let next = hello.sequence.wrapping_add(1);
        let flight = Flight::starting_at(record_sequence);
        let timing = self.timing(now);
        let mut connecting = Connecting::new(peer, (machine, mode), next, flight, output, timing);
        connecting.hello = hello.body.to_vec();
        connecting.cid = own_cid.into();
        self.hosts.add(peer.ip());
        self.add_handshake(connecting);
    }

    /// Whether there is room for one more handshake. The oldest gives way: whoever means it is done
    /// soon, and whoever wants to keep others out is not.
    fn make_room(&mut self) -> bool {
        if self.connecting.len() < self.config.max_handshakes {
            return true;
        }
        let mut accepted = self.connecting.iter().filter(|(_, it)| it.role() == Role::Server);
        let Some((&oldest, _)) = accepted.next() else { return false };
        self.abandon(oldest, Reason::Evicted);
        true
    }

    /// Tells of a handshake that is not begun; the client may try again.
    pub(super) fn turn_away(&mut self, peer: SocketAddr) {
        let (mode, role, reason) = (None, Role::Server, Reason::NoRoom);
        self.events.push_back(Event::Failed { session: None, peer, mode, role, reason });
    }

    /// Answers a hello that cannot lead to a handshake.
    fn refuse(&mut self, peer: SocketAddr, reason: Reason, record_sequence: u64) {
        if let Some(alert) = reason.answer() {
            let mut out = Vec::new();
            write_plain(&mut out, ContentType::ALERT, record_sequence, &alert.encode());
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
        }
        let role = Role::Server;
        self.events.push_back(Event::Failed { session: None, peer, mode: None, role, reason });
    }

    fn add_handshake(&mut self, connecting: Connecting) -> SessionId {
        let id = self.next_id();
        self.connecting_by_address.insert(connecting.peer, id);
        self.timers.set(id, connecting.next_timeout());
        if !connecting.cid.is_empty() {
            self.by_cid.insert(connecting.cid.clone(), id);
        }
        self.connecting.insert(id, Box::new(connecting));
        self.send_flight(id);
        id
    }

    /// Takes a handshake out.
    fn remove_handshake(&mut self, id: SessionId) -> Option<Box<Connecting>> {
        let connecting = self.connecting.remove(&id)?;
        self.timers.cancel(id);
        if self.connecting_by_address.get(&connecting.peer) == Some(&id) {
            self.connecting_by_address.remove(&connecting.peer);
        }
        if connecting.role() == Role::Server {
            self.hosts.remove(connecting.peer.ip());
        }
        Some(connecting)
    }

    fn send_flight(&mut self, id: SessionId) {
        let Some(connecting) = self.connecting.get_mut(&id) else { return };
        let Connecting { peer, flight, channel, .. } = &mut **connecting;
        let datagrams = flight.datagrams(self.config.mtu, channel.as_deref_mut(), &mut self.rng);
        let to_transmit = |datagram| Transmit { peer: *peer, payload: Bytes::from(datagram) };
        self.transmits.extend(datagrams.into_iter().map(to_transmit));
    }

    /// Gives a fragment to a handshake.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        id: SessionId,
        fragment: &Fragment<'_>,
        epoch: u16,
    ) {
        let (timing, unix_time) = (self.timing(now), self.unix_time(now));
        let Self { config, rng, cache, connecting, .. } = self;
        let Some(handshake) = connecting.get_mut(&id) else { return };
        let mut context = Context { config, rng, cache, unix_time, framing: Framing::Datagram };
        let progress = handshake.handle_fragment(fragment, epoch, &mut context, timing);
        self.proceed(now, id, progress);
    }

    fn proceed(&mut self, now: Instant, id: SessionId, progress: Result<Progress, Reason>) {
        match progress {
            Ok(Progress::Wait) => {}
            Ok(Progress::Send) => self.send_flight(id),
            Ok(Progress::Completed(completed)) => return self.complete(now, id, *completed),
            Err(reason) => return self.fail(id, reason),
        }
        if let Some(connecting) = self.connecting.get(&id) {
            self.timers.set(id, connecting.next_timeout());
        }
    }

    fn complete(&mut self, now: Instant, id: SessionId, completed: Completed) {
        let Some(mut connecting) = self.remove_handshake(id) else { return };
        let Some(mut channel) = connecting.channel.take() else { return };
        let (peer, role) = (connecting.peer, connecting.role());
        if channel.read_cid.is_empty() {
            self.by_cid.remove(&connecting.cid);
        }
        self.replace_at(peer, id, &completed.identity);
        // Whoever is last to send may have to send again.
        if (role == Role::Server) != completed.resumed {
            let mut flight = connecting.flight;
            self.transmit_all(peer, &mut flight, &mut channel);
            self.lingering.insert(id, flight);
            self.timers.set(id, now + LINGER.max(self.config.handshake_timeout));
        }
        let Completed { identity, suite, resumed, resumption, cached } = completed;
        let session = Session::new(peer, *channel, identity.clone(), cached);
        self.sessions.insert(id, Box::new(session));
        let resumption = resumption.map(|resumption| Arc::new(*resumption));
        let session = id;
        self.events.push_back(Event::Connected {
            session,
            peer,
            identity,
            role,
            suite,
            resumed,
            resumption,
        });
    }

    fn transmit_all(&mut self, peer: SocketAddr, flight: &mut Flight, channel: &mut Channel) {
        let datagrams = flight.datagrams(self.config.mtu, Some(channel), &mut self.rng);
        let to_transmit = |datagram| Transmit { peer, payload: Bytes::from(datagram) };
        self.transmits.extend(datagrams.into_iter().map(to_transmit));
    }

    /// Makes the session the one of the address. An earlier one ends, unless it is somebody
    /// else's who can be found by Connection ID.
    fn replace_at(
        &mut self,
        peer: SocketAddr,
        id: SessionId,
        identity: &crate::identity::Identity,
    ) {
        let Some(earlier) = self.session_by_address.insert(peer, id).filter(|&old| old != id)
        else {
            return;
        };
        let stays = self.sessions.get(&earlier).is_some_and(|session| {
            !session.channel.read_cid.is_empty() && session.identity != *identity
        });
        if !stays {
            self.remove(earlier, Cause::Replaced);
        }
    }

    /// Sends the last flight again: the peer has repeated its own.
    pub(super) fn repeat_last_flight(&mut self, id: SessionId) {
        let Self { lingering, sessions, config, rng, transmits, .. } = self;
        if let (Some(flight), Some(open)) = (lingering.get_mut(&id), sessions.get_mut(&id)) {
            let datagrams = flight.datagrams(config.mtu, Some(&mut open.channel), rng);
            let to_transmit = |datagram: Vec<u8>| Transmit {
                peer: open.downlink(datagram.len()),
                payload: Bytes::from(datagram),
            };
            transmits.extend(datagrams.into_iter().map(to_transmit));
        }
    }

    /// Ends a handshake and tells both sides.
    pub(super) fn fail(&mut self, id: SessionId, reason: Reason) {
        let Some(connecting) = self.connecting.get_mut(&id) else { return };
        if let Some(alert) = reason.answer() {
            let (peer, body) = (connecting.peer, alert.encode());
            let mut out = Vec::new();
            match &mut connecting.channel {
                Some(channel) if connecting.flight.has_changed_cipher() => {
                    // What cannot be sealed is not sent; the session ends either way.
                    let _ = channel.seal(ContentType::ALERT, &body, &mut self.rng, &mut out);
                }
                _ => connecting.flight.write_plain(ContentType::ALERT, &body, &mut out),
            }
            self.transmits.push_back(Transmit { peer, payload: Bytes::from(out) });
        }
        self.abandon(id, reason);
    }

    /// Ends a handshake without a word to the peer: an alert would hit the next handshake with
    /// the same address.
    pub(super) fn abandon(&mut self, id: SessionId, reason: Reason) {
        let Some(connecting) = self.remove_handshake(id) else { return };
        let peer = connecting.peer;
        self.by_cid.remove(&connecting.cid);
        let (mode, role) = (Some(connecting.mode), connecting.role());
        self.events.push_back(Event::Failed { session: Some(id), peer, mode, role, reason });
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.pop_expired(now) {
            if let Some(connecting) = self.connecting.get_mut(&id) {
                let progress = connecting.handle_timeout(now);
                self.proceed(now, id, progress);
            } else if !self.give_up_stream(now, id) {
                self.lingering.remove(&id);
            }
        }
    }

    pub(super) fn timing(&self, now: Instant) -> Timing {
        let Self { config, .. } = self;
        Timing { now, interval: config.retransmit_after, timeout: config.handshake_timeout }
    }
}
