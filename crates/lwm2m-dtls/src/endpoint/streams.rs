//! TLS on streams: the endpoint's connections that a transport keeps in order.

use super::{Native, is_usable};
use crate::config::ClientProfile;
use crate::connecting::Machine;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId};
use crate::handshake::client::ClientHandshake;
use crate::handshake::transcript::Framing;
use crate::handshake::{Completed, Output, Role};
use crate::identity::Identity;
use crate::resumption::Resumption;
use crate::stream::{Outcome, Stream, StreamEvent};
#[cfg(feature = "tls13")]
use crate::tls13::Tls13;
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;
use hashbrown::HashMap;
use lwm2m_time::Instant;

/// The streams of an endpoint.
#[derive(Default)]
pub(super) struct Streams {
    open: HashMap<SessionId, Box<Stream>>,
    /// How many of them are not established.
    connecting: usize,
}

impl Streams {
    pub(super) fn get(&self, session: SessionId) -> Option<&Stream> {
        self.open.get(&session).map(|stream| &**stream)
    }

    /// The established ones and their peers.
    pub(super) fn established(&self) -> impl Iterator<Item = (SessionId, &Identity)> {
        self.open.iter().filter_map(|(&id, stream)| stream.identity().map(|it| (id, it)))
    }
}

impl Native {
    /// Takes a connection from a client; [`Event::Connected`] or [`Event::Failed`] follows. What
    /// it brings goes to [`handle_stream`](Self::handle_stream), what it must carry comes from
    /// [`poll_stream`](Self::poll_stream).
    ///
    /// # Errors
    /// [`Error::TooManySessions`], of which [`Event::Failed`] tells as well.
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
        self.hosts.add(peer.ip());
        Ok(self.add_stream(now, Stream::accepted(peer)))
    }

    /// Begins a handshake as client on a connection, with an earlier session to go on with if
    /// there is one. Bytes may be polled before the connection is established.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::UnusableProfile`].
    pub(crate) fn connect_stream(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        if !is_usable(&profile) {
            return Err(Error::UnusableProfile);
        }
        self.config.check_profile(&profile)?;
        self.check_room_for_stream()?;
        let mode = profile.security.mode();
        let mut context = self.context(now, Framing::Stream);
        let (mut output, mut outcome) = (Output::default(), Outcome::default());
        #[cfg(feature = "tls13")]
        if profile.tls13 {
            let tls13 = Tls13::connect(peer, &profile, &context).ok_or(Error::UnusableProfile)?;
            let (mode, mut outcome) = (profile.security.mode(), Outcome::default());
            let stream = Stream::connecting_tls13(peer, (tls13, mode), &mut context, &mut outcome);
            let session = self.add_stream(now, stream);
            self.conclude(session, outcome);
            return Ok(session);
        }
        let machine = ClientHandshake::start(profile, resumption, None, &mut context, &mut output);
        let machine = (Machine::Client(Box::new(machine)), mode);
        let stream = Stream::connecting(peer, machine, output, &mut context, &mut outcome);
        let session = self.add_stream(now, stream);
        self.conclude(session, outcome);
        Ok(session)
    }

    /// Takes the next bytes of a connection in, cut anywhere. After [`Event::Closed`] or
    /// [`Event::Failed`] the session is unknown and its bytes are ignored.
    pub(crate) fn handle_stream(&mut self, now: Instant, session: SessionId, bytes: &[u8]) {
        self.on_stream(now, session, |stream, context, outcome| {
            stream.handle(bytes, context, outcome);
        });
    }

    /// The connection below has ended.
    pub(crate) fn handle_stream_end(&mut self, now: Instant, session: SessionId) {
        self.on_stream(now, session, |stream, _, outcome| stream.handle_end(outcome));
    }

    /// The next bytes for a connection. When its session is gone, what was polled before is to be
    /// sent still, then the connection closed.
    pub(crate) fn poll_stream(&mut self) -> Option<(SessionId, Bytes)> {
        self.stream_bytes.pop_front()
    }

    /// Sends on a stream, if the session is one.
    pub(super) fn send_on_stream(
        &mut self,
        now: Instant,
        session: SessionId,
        data: &[u8],
    ) -> Option<Result<(), Error>> {
        let mut stream = self.streams.open.remove(&session)?;
        let sent = stream.send(data, &mut self.context(now, Framing::Stream));
        self.streams.open.insert(session, stream);
        Some(sent.map(|bytes| self.stream_bytes.push_back((session, Bytes::from(bytes)))))
    }

    /// Closes a stream, if the session is one.
    pub(super) fn close_stream(&mut self, session: SessionId) -> bool {
        self.on_stream(Instant::ZERO, session, |stream, context, outcome| {
            stream.close(context, outcome);
        })
    }

    /// The handshake of a stream has taken too long, if the session is a stream.
    pub(super) fn give_up_stream(&mut self, now: Instant, session: SessionId) -> bool {
        self.on_stream(now, session, |stream, context, outcome| {
            stream.fail(Reason::Timeout, context, outcome);
        })
    }

    fn check_room_for_stream(&self) -> Result<(), Error> {
        // Of their own: handshakes on datagrams are cheaper to begin, and would take all the room.
        let handshakes = self.streams.connecting;
        let sessions = self.sessions.len() + self.streams.open.len();
        let room = handshakes < self.config.max_handshakes && sessions < self.config.max_sessions;
        room.then_some(()).ok_or(Error::TooManySessions)
    }

    fn add_stream(&mut self, now: Instant, stream: Stream) -> SessionId {
        let session = self.next_id();
        self.streams.connecting += 1;
        self.streams.open.insert(session, Box::new(stream));
        self.timers.set(session, now + self.config.handshake_timeout);
        session
    }

    fn on_stream(
        &mut self,
        now: Instant,
        session: SessionId,
        step: impl FnOnce(&mut Stream, &mut crate::handshake::Context<'_>, &mut Outcome),
    ) -> bool {
        let Some(mut stream) = self.streams.open.remove(&session) else { return false };
        let mut outcome = Outcome::default();
        step(&mut stream, &mut self.context(now, Framing::Stream), &mut outcome);
        self.streams.open.insert(session, stream);
        self.conclude(session, outcome);
        true
    }

    fn conclude(&mut self, session: SessionId, outcome: Outcome) {
        if !outcome.bytes.is_empty() {
            self.stream_bytes.push_back((session, Bytes::from(outcome.bytes)));
        }
        for happened in outcome.happened {
            self.tell(session, happened);
        }
    }

    fn tell(&mut self, session: SessionId, happened: StreamEvent) {
        let Some((peer, role)) = self.streams.get(session).map(|it| (it.peer, it.role)) else {
            return;
        };
        let event = match happened {
            StreamEvent::Data(data) => Event::Data { session, data },
            StreamEvent::Connected(completed) => {
                self.end_stream_handshake(session, peer, role);
                connected(session, peer, role, *completed)
            }
            StreamEvent::Closed(cause) => {
                let cached = self.streams.open.remove(&session).and_then(|stream| stream.cached);
                if let (Cause::Alert(_) | Cause::Broken(_), Some(key)) = (cause, cached) {
                    self.cache.forget(key);
                }
                Event::Closed { session, peer, cause }
            }
            StreamEvent::Failed(mode, reason) => {
                self.streams.open.remove(&session);
                self.end_stream_handshake(session, peer, role);
                Event::Failed { session: Some(session), peer, mode, role, reason }
            }
        };
        self.events.push_back(event);
    }

    fn end_stream_handshake(&mut self, session: SessionId, peer: SocketAddr, role: Role) {
        if role == Role::Server {
            self.hosts.remove(peer.ip());
        }
        self.streams.connecting = self.streams.connecting.saturating_sub(1);
        self.timers.cancel(session);
    }
}

fn connected(session: SessionId, peer: SocketAddr, role: Role, completed: Completed) -> Event {
    let Completed { identity, suite, resumed, resumption, .. } = completed;
    let resumption = resumption.map(|resumption| Arc::new(*resumption));
    Event::Connected { session, peer, identity, role, suite, resumed, resumption }
}
