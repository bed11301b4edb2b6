//! A TLS connection on a stream, in the version and by the backend that its hellos lead to.

use crate::alert::Alert;
use crate::backend::Backend;
use crate::config::ClientProfile;
use crate::error::{Error, Reason};
use crate::event::Cause;
use crate::handshake::context::Context;
use crate::handshake::output::{Completed, Step};
use crate::identity::Identity;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::mode::{Mode, Role};
use crate::resumption::{CacheKey, Resumption};
use crate::rng::Rng;
use crate::tls12::Tls12;
#[cfg(feature = "tls13")]
use crate::tls13::Tls13;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem::replace;
use core::net::SocketAddr;

/// A connection from its first byte on.
pub(crate) struct Stream {
    pub(crate) peer: SocketAddr,
    pub(crate) role: Role,
    /// The server's cache entry for the session, which a fatal alert deletes.
    pub(crate) cached: Option<CacheKey>,
    state: State,
    protocol: Protocol,
}

enum State {
    Handshake,
    Established(Identity),
    Closed,
}

#[allow(clippy::large_enum_variant, reason = "the common version needs no second allocation")]
enum Protocol {
    Tls12(Tls12),
    #[cfg(feature = "tls13")]
    Tls13(Box<Tls13>),
    #[cfg(feature = "mbedtls")]
    MbedTls(Box<MbedTls>),
}

/// An event of a connection.
pub(crate) enum StreamEvent {
    Connected(Box<Completed>),
    Data(Bytes),
    Closed(Identity, Cause),
    Failed(Option<Mode>, Reason),
}

/// The results of an input.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Bytes to be sent.
    pub(crate) bytes: Vec<u8>,
    pub(crate) events: Vec<StreamEvent>,
}

impl Stream {
    /// The server's side.
    ///
    /// # Errors
    /// As of [`Endpoint::accept_stream`](crate::Endpoint::accept_stream).
    pub(crate) fn accept(peer: SocketAddr, context: &Context<'_>) -> Result<Self, Error> {
        let protocol = match context.config.backend {
            Backend::Native => Protocol::Tls12(Tls12::server()),
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => Protocol::MbedTls(Box::new(MbedTls::server(context)?)),
        };
        Ok(Self::new(peer, Role::Server, protocol))
    }

    /// The client's side. The hello is in the outcome.
    ///
    /// # Errors
    /// As of [`Endpoint::connect_stream`](crate::Endpoint::connect_stream).
    pub(crate) fn connect(
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
        context: &mut Context<'_>,
        to: &mut Outcome,
    ) -> Result<Self, Error> {
        let protocol = match context.config.backend {
            #[cfg(feature = "tls13")]
            Backend::Native if profile.tls13 => {
                let tls13 = Tls13::connect(peer, &profile, context);
                Protocol::Tls13(Box::new(tls13.ok_or(Error::UnusableProfile)?))
            }
            Backend::Native => {
                Protocol::Tls12(Tls12::client(profile, resumption, context, &mut to.bytes))
            }
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => Protocol::MbedTls(Box::new(MbedTls::client(profile, context)?)),
        };
        let mut stream = Self::new(peer, Role::Client, protocol);
        stream.handle(&[], context, to);
        Ok(stream)
    }

    const fn new(peer: SocketAddr, role: Role, protocol: Protocol) -> Self {
        Self { peer, role, cached: None, state: State::Handshake, protocol }
    }

    /// The peer's identity, once the session is established.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Established(identity) => Some(identity),
            _ => None,
        }
    }

    /// Handles the next bytes, cut anywhere.
    pub(crate) fn handle(&mut self, bytes: &[u8], context: &mut Context<'_>, to: &mut Outcome) {
        if matches!(self.state, State::Closed) {
            return;
        }
        let mut steps = Vec::new();
        let result = self.protocol.handle(bytes, context, &mut to.bytes, &mut steps);
        #[cfg(feature = "tls13")]
        let result = result.and_then(|()| self.hand_over(context, &mut to.bytes, &mut steps));
        for step in steps {
            match step {
                Step::Connected(completed) => {
                    self.state = State::Established(completed.identity.clone());
                    self.cached = completed.cached;
                    to.events.push(StreamEvent::Connected(completed));
                }
                Step::Data(data) => to.events.push(StreamEvent::Data(data)),
                Step::CloseNotify => {
                    self.protocol.alert(Alert::CLOSE_NOTIFY, context.rng, &mut to.bytes);
                    self.end(Cause::ByPeer, to);
                }
            }
        }
        if let Err(reason) = &result {
            self.fail(reason, context.rng, to);
        }
    }

    /// Goes on in version 1.3, if the client has offered it.
    #[cfg(feature = "tls13")]
    fn hand_over(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Reason> {
        let Protocol::Tls12(tls12) = &mut self.protocol else { return Ok(()) };
        let Some((tls13, input)) = tls12.take_successor() else { return Ok(()) };
        self.protocol = Protocol::Tls13(tls13);
        self.protocol.handle(&input, context, out, steps)
    }

    /// Handles the end of the connection below.
    pub(crate) fn handle_end(&mut self, to: &mut Outcome) {
        match self.state {
            State::Handshake => self.end_handshake(&Reason::Disconnected, to),
            State::Established(_) => self.end(Cause::Truncated, to),
            State::Closed => {}
        }
    }

    /// Seals application data in as many records as it takes.
    ///
    /// # Errors
    /// [`Error::NotEstablished`], [`Error::SequenceExhausted`].
    pub(crate) fn send(&mut self, data: &[u8], rng: &mut Rng) -> Result<Vec<u8>, Error> {
        if !matches!(self.state, State::Established(_)) {
            return Err(Error::NotEstablished);
        }
        let mut out = Vec::with_capacity(data.len() + 64);
        self.protocol.send(data, rng, &mut out).ok_or(Error::SequenceExhausted)?;
        Ok(out)
    }

    /// Closes an established session with `alert`, or gives up the handshake.
    pub(crate) fn close(&mut self, alert: Alert, rng: &mut Rng, to: &mut Outcome) {
        match self.state {
            State::Handshake => self.fail(&Reason::Cancelled, rng, to),
            State::Established(_) => {
                self.protocol.alert(alert, rng, &mut to.bytes);
                self.end(Cause::ByUs, to);
            }
            State::Closed => {}
        }
    }

    /// Ends the connection and tells both sides why.
    pub(crate) fn fail(&mut self, reason: &Reason, rng: &mut Rng, to: &mut Outcome) {
        if let Some(alert) = reason.answer() {
            self.protocol.alert(alert, rng, &mut to.bytes);
        }
        match self.state {
            State::Handshake => self.end_handshake(reason, to),
            State::Established(_) => self.end(Cause::of(reason), to),
            State::Closed => {}
        }
    }

    fn end_handshake(&mut self, reason: &Reason, to: &mut Outcome) {
        self.state = State::Closed;
        to.events.push(StreamEvent::Failed(self.protocol.mode(), reason.clone()));
    }

    fn end(&mut self, cause: Cause, to: &mut Outcome) {
        if let State::Established(identity) = replace(&mut self.state, State::Closed) {
            to.events.push(StreamEvent::Closed(identity, cause));
        }
    }
}

impl Protocol {
    fn mode(&self) -> Option<Mode> {
        match self {
            Self::Tls12(tls12) => tls12.mode(),
            #[cfg(feature = "tls13")]
            Self::Tls13(tls13) => Some(tls13.mode()),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.mode(),
        }
    }

    fn handle(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Reason> {
        match self {
            Self::Tls12(tls12) => tls12.handle(bytes, context, out, steps),
            #[cfg(feature = "tls13")]
            Self::Tls13(tls13) => tls13.handle(bytes, context, out, steps),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => {
                let result = library.step(bytes, context, steps);
                out.extend(library.take_outgoing().into_iter().flatten());
                result
            }
        }
    }

    fn send(&mut self, data: &[u8], rng: &mut Rng, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Tls12(tls12) => tls12.send(data, rng, out),
            #[cfg(feature = "tls13")]
            Self::Tls13(tls13) => tls13.send(data, out),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => {
                let sent = library.send(data);
                out.extend(library.take_outgoing().into_iter().flatten());
                sent
            }
        }
    }

    fn alert(&mut self, alert: Alert, rng: &mut Rng, out: &mut Vec<u8>) {
        match self {
            Self::Tls12(tls12) => tls12.alert(alert, rng, out),
            // The library has already sent the alert for its own failure.
            #[cfg(feature = "tls13")]
            Self::Tls13(_) if alert.is_fatal() => {}
            #[cfg(feature = "tls13")]
            Self::Tls13(tls13) => tls13.close(out),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => {
                library.alert(alert);
                out.extend(library.take_outgoing().into_iter().flatten());
            }
        }
    }
}
