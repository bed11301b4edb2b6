//! A CoAP client over UDP and TCP, without LwM2M: for tools that ask any CoAP server.

use crate::driver::{Closed, Handle, Sockets};
use crate::uri::Remote;
use crate::with_sink::Sink;
use lwm2m_coap::uri::Scheme;
use lwm2m_coap::{Code, Config, Error, Event, FailReason, Request, RequestId, Response};
use lwm2m_dtls::ClientProfile;
use lwm2m_link::{HandshakeFailure, Link, LinkEvent, PeerId, SecurityEvent};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Answers that wait to be read; a slower reader misses notifications.
const ANSWERS: usize = 64;

/// What follows a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The response. If it has the option Observe, notifications follow.
    Response(Response),
    /// A notification; one without Observe is the last.
    Notification(Response),
    /// The request failed.
    Failed(FailReason),
    /// The request failed because no session was established: the reason, in one line.
    NoSession(String),
    /// The server at this address has not answered so far; the request was sent again for the first
    /// time, or the first message of a handshake, or has waited as long on a connection. Another answer
    /// follows.
    Unanswered(SocketAddr),
}

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoapError {
    /// The endpoint does not take it.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The client talks to too many servers at a time, or its keys cannot be used.
    #[error("no peer: too many servers at a time, or keys that cannot be used")]
    NoPeer,
    /// The server wants a secured session, and the client has no keys.
    #[error("the server is reached by a secured session: give the client keys")]
    NoKeys,
    /// The client has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

type WithSink = crate::with_sink::WithSink<Link, Readers>;

#[derive(Default)]
struct Readers {
    readers: HashMap<RequestId, (PeerId, mpsc::Sender<Answer>)>,
    profile: Option<Arc<ClientProfile>>,
    /// The session with a server on datagrams; on a connection the link knows it.
    sessions: HashMap<SocketAddr, PeerId>,
    /// The latest handshake that failed; the requests that waited for it fail next.
    failure: Option<HandshakeFailure>,
}

impl Readers {
    /// The peer at a server, by a session that is there or a new one.
    fn peer(&mut self, link: &mut Link, now: Instant, server: Remote) -> Result<PeerId, CoapError> {
        let Remote { scheme, address } = server;
        let profile = || self.profile.clone().ok_or(CoapError::NoKeys);
        let peer = match scheme {
            Scheme::Coap => link.connect(address),
            Scheme::CoapTcp => link.open_connection(now, address),
            Scheme::CoapsTcp => link.open_secured_connection(now, address, profile()?),
            Scheme::Coaps => match self.sessions.get(&address) {
                Some(&peer) if link.is_reachable(peer) => Some(peer),
                _ => {
                    let peer = link.connect_secured(now, address, profile()?);
                    if let Some(peer) = peer {
                        link.hold(peer);
                        self.sessions.insert(address, peer);
                    }
                    peer
                }
            },
        };
        peer.ok_or(CoapError::NoPeer)
    }

    fn pass(&mut self, link: &mut Link, id: RequestId, answer: Answer) {
        let last = match &answer {
            Answer::Response(response) | Answer::Notification(response) => {
                response.options.observe().is_none()
            }
            Answer::Failed(_) | Answer::NoSession(_) => true,
            Answer::Unanswered(_) => false,
        };
        let Some((_, reader)) = self.readers.get(&id) else { return };
        let gone = matches!(reader.try_send(answer), Err(mpsc::error::TrySendError::Closed(_)));
        if last || gone {
            self.readers.remove(&id);
            link.coap().cancel(id);
        }
    }
}

impl Readers {
    fn tell_unanswered(&mut self, link: &mut Link, peer: PeerId) {
        let Some(address) = link.peer_address(peer) else { return };
        let of_peer = self.readers.iter().filter(|(_, (of, _))| *of == peer);
        for id in of_peer.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.pass(link, id, Answer::Unanswered(address));
        }
    }
}

impl Sink<Link> for Readers {
    fn take(&mut self, now: Instant, link: &mut Link, event: LinkEvent) {
        let event = match event {
            LinkEvent::Coap(event) => event,
            LinkEvent::Security(SecurityEvent::Failed(failure)) => {
                self.failure = Some(failure);
                return;
            }
            LinkEvent::Security(_) => return,
            LinkEvent::Unanswered { peer } => return self.tell_unanswered(link, peer),
        };
        match event {
            Event::Response { id, response, .. } => self.pass(link, id, Answer::Response(response)),
            Event::Notification { id, response, .. } => {
                self.pass(link, id, Answer::Notification(response));
            }
            Event::Failed { id, peer, reason } => {
                let failure = self.failure.as_ref().filter(|it| it.peer == Some(peer));
                let answer = match failure {
                    Some(failure) => Answer::NoSession(failure.to_string()),
                    None => Answer::Failed(reason),
                };
                self.pass(link, id, answer);
            }
            Event::Request { exchange, .. } => {
                // A client has no resources. A peer that is gone needs no answer.
                let _ = link.coap().respond(now, exchange, Response::new(Code::NOT_FOUND));
            }
            _ => {}
        }
    }
}

/// How a [`CoapClient`] proves who it is, and what it trusts.
#[derive(Debug, Clone)]
pub struct Security {
    /// The endpoint of DTLS and TLS.
    pub config: lwm2m_dtls::Config,
    /// The mode and its keys.
    pub profile: Arc<ClientProfile>,
}

/// A CoAP client. The task behind it ends when the last clone is dropped.
#[derive(Clone)]
pub struct CoapClient(Handle<WithSink>);

impl std::fmt::Debug for CoapClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CoapClient").field(self.0.local()).finish()
    }
}

impl CoapClient {
    /// Binds a UDP socket.
    ///
    /// # Errors
    /// The socket cannot be bound.
    pub async fn bind(
        sockets: impl Into<Sockets>,
        config: Config,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        let with_sink = WithSink::new(Link::new(config, seed), Readers::default());
        Handle::bind(sockets, with_sink).await.map(Self)
    }

    /// Binds UDP sockets, with keys for servers at `coaps://` and `coaps+tcp://`.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn bind_secured(
        sockets: Sockets,
        config: Config,
        security: Security,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        let mut link = Link::new(config, seed);
        link.set_security(security.config);
        let readers = Readers { profile: Some(security.profile), ..Readers::default() };
        Handle::bind(sockets, WithSink::new(link, readers)).await.map(Self)
    }

    /// Sends a request and returns the stream of its answers: one, or several if it observes. Opens
    /// the connection first if necessary. Dropping the stream ends the observation.
    ///
    /// # Errors
    /// See [`CoapError`].
    pub async fn request(
        &self,
        server: impl Into<Remote>,
        request: Request,
    ) -> Result<mpsc::Receiver<Answer>, CoapError> {
        let (reader, answers) = mpsc::channel(ANSWERS);
        let server = server.into();
        let send = move |with_sink: &mut WithSink, now| {
            let WithSink { engine, sink, .. } = with_sink;
            let peer = sink.peer(engine, now, server)?;
            let id = engine.coap().request(now, peer, request)?;
            sink.readers.insert(id, (peer, reader));
            Ok::<_, CoapError>(())
        };
        self.0.with(send).await??;
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_link::{Engine, Input};

    #[test]
    fn a_server_that_does_not_answer_is_told_before_the_request_fails() {
        let server = SocketAddr::from(([192, 0, 2, 1], 5683));
        let mut client = WithSink::new(Link::new(Config::default(), [1; 32]), Readers::default());
        let (reader, mut answers) = mpsc::channel(ANSWERS);
        let remote = Remote { scheme: Scheme::Coap, address: server };
        let peer = client.sink.peer(&mut client.engine, Instant::ZERO, remote).unwrap();
        let id = client.engine.coap().request(Instant::ZERO, peer, Request::get()).unwrap();
        client.sink.readers.insert(id, (peer, reader));
        while let Some(due) = client.poll_timeout() {
            client.handle(due, Input::Timeout);
            while client.poll().is_some() {}
        }
        assert_eq!(answers.try_recv().unwrap(), Answer::Unanswered(server));
        let reason = FailReason::Unacknowledged { sent: 5 };
        assert_eq!(answers.try_recv().unwrap(), Answer::Failed(reason));
        assert!(answers.try_recv().is_err());
    }
}
