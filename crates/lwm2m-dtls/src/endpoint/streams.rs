//! TLS connections on streams.

use super::Endpoint;
use crate::alert::Alert;
use crate::config::ClientProfile;
use crate::error::{Error, Reason};
use crate::event::{Cause, Event, SessionId};
use crate::handshake::context::Context;
use crate::handshake::framing::Framing;
use crate::mode::Role;
use crate::resumption::Resumption;
use crate::stream::{Outcome, Stream, StreamEvent};
use crate::table::shrink;
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_time::Instant;

impl Endpoint {
    /// Accepts a connection from a client; [`Event::Connected`] or [`Event::Failed`] follows. Pass
    /// its bytes to [`handle_stream`](Self::handle_stream) and send the bytes of
    /// [`poll_stream`](Self::poll_stream).
    ///
    /// # Errors
    /// [`Error::TooManySessions`], which [`Event::Failed`] reports as well, [`Error::TooFast`],
    /// [`Error::Unsupported`].
    pub fn accept_stream(&mut self, now: Instant, peer: SocketAddr) -> Result<SessionId, Error> {
        if !self.admits(now, peer.ip()) {
            return Err(Error::TooFast);
        }
        if self.stream_hosts.count(peer.ip()) >= self.config().max_handshakes_per_host
            && let Some(oldest) = self.stream_hosts.oldest(peer.ip())
        {
            self.on_stream(now, oldest, |stream, context, outcome| {
                stream.fail(&Reason::Evicted, context.rng, outcome);
            });
        }
        if self.check_room_for_stream().is_err() {
            self.turn_away(peer, Reason::NoRoom);
            return Err(Error::TooManySessions);
        }
        self.check_supported()?;
        let stream = Stream::accept(peer, &self.shared.context(now, Framing::Stream))?;
        let session = self.add_stream(now, stream);
        self.stream_hosts.add(peer.ip(), session);
        Ok(session)
    }

    /// Starts a handshake as client on a connection, which may still be under way. With
    /// `resumption`, it offers to resume an earlier session.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::UnusableProfile`], [`Error::Unsupported`].
    pub fn connect_stream(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
    ) -> Result<SessionId, Error> {
        self.check_supported()?;
        profile.check()?;
        self.config().check_profile(&profile)?;
        self.check_room_for_stream()?;
        let mut outcome = Outcome::default();
        let mut context = self.shared.context(now, Framing::Stream);
        let stream = Stream::connect(peer, profile, resumption, &mut context, &mut outcome)?;
        let session = self.add_stream(now, stream);
        self.apply(session, outcome);
        Ok(session)
    }

    /// Handles the next bytes of a connection, cut anywhere. After [`Event::Closed`] or
    /// [`Event::Failed`] the session is unknown and its bytes are ignored.
    pub fn handle_stream(&mut self, now: Instant, session: SessionId, bytes: &[u8]) {
        self.on_stream(now, session, |stream, context, outcome| {
            stream.handle(bytes, context, outcome);
        });
    }

    /// Handles the end of the connection below.
    pub fn handle_stream_end(&mut self, now: Instant, session: SessionId) {
        self.on_stream(now, session, |stream, _, outcome| stream.handle_end(outcome));
    }

    pub(super) fn send_on_stream(&mut self, session: SessionId, data: &[u8]) -> Result<(), Error> {
        let Some(stream) = self.streams.get_mut(&session) else {
            return Err(match self.handshakes.contains_key(&session) {
                true => Error::NotEstablished,
                false => Error::UnknownSession,
            });
        };
        let bytes = stream.send(data, &mut self.shared.rng)?;
        self.stream_bytes.push_back((session, Bytes::from(bytes)));
        Ok(())
    }

    /// Closes a stream with the alert. Returns whether the session is a stream.
    pub(super) fn close_stream(&mut self, session: SessionId, alert: Alert) -> bool {
        self.on_stream(Instant::ZERO, session, |stream, context, outcome| {
            stream.close(alert, context.rng, outcome);
        })
    }

    /// Fails the handshake of a stream by timeout. Returns whether the session is a stream.
    pub(super) fn give_up_stream(&mut self, now: Instant, session: SessionId) -> bool {
        self.on_stream(now, session, |stream, context, outcome| {
            stream.fail(&Reason::Timeout, context.rng, outcome);
        })
    }

    /// Checks the limits. Streams have a limit of handshakes for themselves: those on datagrams are
    /// cheaper to start and could take all places.
    fn check_room_for_stream(&self) -> Result<(), Error> {
        let sessions = self.sessions.len() + self.streams.len();
        let has_room = self.stream_handshakes < self.config().max_handshakes
            && sessions < self.config().max_sessions;
        has_room.then_some(()).ok_or(Error::TooManySessions)
    }

    fn add_stream(&mut self, now: Instant, stream: Stream) -> SessionId {
        let session = self.next_id();
        self.stream_handshakes += 1;
        self.streams.insert(session, Box::new(stream));
        self.timers.set(session, now + self.config().handshake_timeout);
        session
    }

    fn on_stream(
        &mut self,
        now: Instant,
        session: SessionId,
        step: impl FnOnce(&mut Stream, &mut Context<'_>, &mut Outcome),
    ) -> bool {
        let Self { streams, shared, .. } = self;
        let Some(stream) = streams.get_mut(&session) else { return false };
        let mut outcome = Outcome::default();
        step(stream, &mut shared.context(now, Framing::Stream), &mut outcome);
        self.apply(session, outcome);
        true
    }

    fn apply(&mut self, session: SessionId, outcome: Outcome) {
        if !outcome.bytes.is_empty() {
            self.stream_bytes.push_back((session, Bytes::from(outcome.bytes)));
        }
        for event in outcome.events {
            self.on_stream_event(session, event);
        }
    }

    fn on_stream_event(&mut self, session: SessionId, event: StreamEvent) {
        let Some(stream) = self.streams.get(&session) else { return };
        let (peer, role, cached) = (stream.peer, stream.role, stream.cached);
        let event = match event {
            StreamEvent::Data(data) => Event::Data { session, data },
            StreamEvent::Connected(completed) => {
                self.end_stream_handshake(session, peer, role);
                Event::connected(session, peer, role, *completed)
            }
            StreamEvent::Closed(identity, cause) => {
                self.streams.remove(&session);
                if let (Cause::Alert(_) | Cause::Broken(_), Some(key)) = (cause, cached) {
                    self.shared.cache.forget(key);
                }
                Event::Closed { session, peer, identity, cause, kept: None }
            }
            StreamEvent::Failed(mode, reason) => {
                self.streams.remove(&session);
                self.end_stream_handshake(session, peer, role);
                Event::Failed { session: Some(session), peer, mode, role, reason }
            }
        };
        self.events.push_back(event);
        shrink(&mut self.streams);
    }

    fn end_stream_handshake(&mut self, session: SessionId, peer: SocketAddr, role: Role) {
        if role == Role::Server {
            self.stream_hosts.remove(peer.ip(), session);
        }
        self.stream_handshakes = self.stream_handshakes.saturating_sub(1);
        self.timers.cancel(session);
    }
}
